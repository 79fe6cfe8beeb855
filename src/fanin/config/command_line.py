"""Command lines: read with flags in any place, and printed ready to paste."""

import shlex
from collections.abc import Sequence
from typing import NoReturn

from fanin.config.errors import SettingError
from fanin.config.hydra_private import argument_parser

_HOW_A_SWEEP_RUNS = (
    "tracking.",
    "hydra.",
    "hydra/",
    "claims.",
    "sweep.resume",
    "sweep.plan",
    "sweep.save",
)
_SET_BY_SWEEP = ("tracking.parent=", "tracking.job=")


def flags_first(typed: Sequence[str]) -> list[str]:
    """The command line in the order that Hydra needs, flags first. Raises SettingError."""

    def refuse(message: str) -> NoReturn:
        raise SettingError(f"{message.removeprefix('argument ')}; see --help")

    parser = argument_parser()
    parser.error = refuse  # type: ignore[method-assign]
    parsed, unknown = parser.parse_known_intermixed_args(typed)
    if unknown:
        raise SettingError(_no_such_flag(unknown[0], typed))
    flags = list(typed)
    for override in parsed.overrides:
        flags.remove(override)
    return [*flags, *parsed.overrides]


def _no_such_flag(flag: str, typed: Sequence[str]) -> str:
    """The error for an unknown flag. --depth=10 and --depth 10 get the hint depth=10."""
    name, _, value = flag.lstrip("-").partition("=")
    after = "".join(typed[typed.index(flag) + 1 :][:1])
    if not value and after and "=" not in after:
        flag, value = f"{flag} {after}", after
    return f"{flag}: no such flag; " + (f"write {name}={value}" if value else "see --help")


def format_overrides(overrides: Sequence[str]) -> str:
    """The overrides as typed, without those that a sweep adds for its jobs."""
    return " ".join(o for o in overrides if not o.startswith(_SET_BY_SWEEP))


def repeat_command(overrides: Sequence[str], *, is_sweep: bool = False) -> str:
    """The shell command that repeats a run or a sweep, without its tracking and launcher."""
    kept = [o for o in overrides if not o.lstrip("+~").startswith(_HOW_A_SWEEP_RUNS)]
    is_experiment = any(o.startswith("experiment=") for o in kept)  # a sweep even without -m
    words = ["python", "run.py", *(["-m"] if is_sweep and not is_experiment else []), *kept]
    return " ".join(map(shlex.quote, words))
