"""The project folder, which holds run.py, conf/, experiments/ and outputs/."""

import os
from pathlib import Path

from fanin.config.errors import SettingError

PROJECT = Path(os.environ.get("FANIN_PROJECT") or Path(__file__).resolve().parents[3])
"""run.py sets FANIN_PROJECT for itself and for its workers."""


def require_project() -> None:
    """Raise SettingError if there is no project folder, as after a plain pip install."""
    if not (PROJECT / "conf" / "config.yaml").is_file():
        raise SettingError(
            f"FANIN_PROJECT={PROJECT}: has no conf/config.yaml; set FANIN_PROJECT to a clone of "
            "the project, or install from the clone with pip install -e ."
        )
