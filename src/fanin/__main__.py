"""Commands other than runs: `python -m fanin sync`, `advise` and `compare`."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from fanin.config.errors import SettingError
from fanin.config.exits import exit_on_user_error
from fanin.config.project import require_project

TIMEOUT = 10  # seconds, for each store that does not answer


def main() -> None:
    """Read the command line and run its command."""
    parser = argparse.ArgumentParser(
        prog="python -m fanin",
        description="Tools around tracked runs. For the runs, see run.py --help.",
    )
    commands = parser.add_subparsers(dest="command")
    commands.add_parser(
        "sync",
        help="deliver runs that wait because their store did not answer",
        description="Deliver the runs that wait in outputs/ because their store did not answer, "
        "and close those whose process is gone. If the address of a store has a password, fanin "
        "does not keep it: set MLFLOW_TRACKING_URI to the address.",
    )
    advising = commands.add_parser(
        "advise",
        help="rank the inits for a network, by theory",
        description="Rank the init options for a network by theory, without running it: "
        "python -m fanin advise activation=tanh depth=200 hidden_size=64. It takes the "
        "settings of run.py. If you give init settings, that init is ranked as well. A question "
        "mark after a verdict means that most seeds have it, but not nearly all. low and high: the "
        "middle two thirds of seeds lie between them. gradient: the norm of dL/dz at the first "
        "layer divided by that at the last. cosine: the cosine between inputs at the last layer. "
        "phase: whether gradients vanish (ordered), explode (chaotic) or keep their size "
        "(critical) in the long run.",
    )
    advising.add_argument("settings", nargs="*", metavar="SETTING=VALUE")
    comparing = commands.add_parser(
        "compare",
        help="compare tracked runs, also from different sweeps",
        description="Print the table and draw the figures that a sweep ends with, for any tracked "
        "runs. Give their ids: python -m fanin compare ID ID; or an MLflow filter: python -m fanin "
        "compare \"params.activation = 'tanh' and params.depth = '50'\".",
    )
    comparing.add_argument(
        "runs", nargs="+", metavar="RUN", help="the id of a run or of a sweep, or an MLflow filter"
    )
    comparing.add_argument("--uri", help="the store (default: that of run.py)")
    comparing.add_argument(
        "--to",
        type=Path,
        metavar="FOLDER",
        help="output folder (default: a new one in outputs/comparisons)",
    )
    parsed, unknown = parser.parse_known_args()
    if parsed.command is None:
        parser.print_help()
        return
    with exit_on_user_error():
        if unknown:
            raise SettingError(f"{unknown[0]}: no such flag; settings are written as depth=50")
        if parsed.command != "compare" or not (parsed.uri and parsed.to):
            require_project()
        if parsed.command == "sync":
            sync()
        elif parsed.command == "advise":
            advise(parsed.settings)
        else:
            compare(parsed.runs, parsed.uri, parsed.to)


def sync() -> None:
    """Deliver every pending run. Raises SettingError if some are still waiting."""
    from fanin.runner.storage import flush_all_pending  # torch and mlflow, not for --help

    result = flush_all_pending(TIMEOUT)
    print(f"delivered {result.delivered}, still waiting {result.waiting}")
    if result.waiting:
        raise SettingError("; ".join(f"{uri}: {why}" for uri, why in result.reasons.items()))


def advise(settings: Sequence[str]) -> None:
    """Print the ranking of inits for the network of these settings. Raises SettingError."""
    from fanin.report.terminal import make_console
    from fanin.runner.advise import advise as rank_inits

    rank_inits(settings, make_console())


def compare(references: Sequence[str], uri: str | None, folder: Path | None) -> None:
    """Print the table of the runs, and draw their figures. Raises SettingError."""
    from fanin.runner.compare import compare_runs

    compare_runs(references, uri, folder)


if __name__ == "__main__":
    main()
