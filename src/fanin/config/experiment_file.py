"""The files in experiments/: what Hydra reads from them, and the question at the top of each."""

import re
from pathlib import Path
from typing import Any, cast

from omegaconf import DictConfig, ListConfig, OmegaConf
from yaml import YAMLError

from fanin.config.project import PROJECT
from fanin.measure.params import GROUPS

UNREADABLE = "cannot be read"


def experiment_path(name: str) -> Path:
    """The path of an experiment file, which need not exist."""
    return PROJECT / "experiments" / f"{name}.yaml"


def load_experiment(path: Path) -> DictConfig:
    """The configuration in an experiment file: always a sweep, its claims under claims.made.

    `activation: tanh` in it chooses the option, as on the command line. A file that cannot be read
    becomes a setting named UNREADABLE, so that only a command line that chooses it is refused.
    """
    try:
        node = OmegaConf.load(path)
    except YAMLError as error:
        node = OmegaConf.create({f"{UNREADABLE}: {' '.join(str(error).split())}": None})
    if not isinstance(node, DictConfig):
        node = OmegaConf.create({f"{UNREADABLE}: write NAME: VALUE": None})
    if isinstance(node.get("claims"), ListConfig):
        node.claims = {"made": node.claims}
    chosen = [group for group in GROUPS if isinstance(node.get(group), str)]
    overrides = [{f"override /{group}": node.pop(group)} for group in chosen]
    node.defaults = [*node.get("defaults", []), *overrides]
    OmegaConf.update(node, "hydra.mode", "MULTIRUN", force_add=True)
    return node


def question_of(text: str) -> str:
    """The question at the top of an experiment file's text; empty if there is none."""
    found = re.match(r"# Question: *(.+(?:\n# *\S.*)*)", text)
    question = " ".join(re.sub(r"\n# *", " ", found[1]).split()) if found else ""
    return question[:1].upper() + question[1:]


def read_experiment(name: str) -> dict[str, Any]:
    """The content of an experiment file, as plain values."""
    return cast(dict[str, Any], OmegaConf.to_container(OmegaConf.load(experiment_path(name))))
