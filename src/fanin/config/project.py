"""Where run.py, conf/, experiments/ and outputs/ are."""

import os
from pathlib import Path

from fanin.config.errors import SettingError

PROJECT = Path(os.environ.get("FANIN_PROJECT") or Path(__file__).resolve().parents[3])
"""run.py sets FANIN_PROJECT, for itself and for its workers."""


def require_project() -> None:
    """Raise SettingError where there is no project folder, as beside an installed package."""
    if not (PROJECT / "conf" / "config.yaml").is_file():
        raise SettingError(
            f"FANIN_PROJECT={PROJECT}: has no conf/config.yaml; set FANIN_PROJECT to a clone of "
            "the project, or install from the clone with pip install -e ."
        )
