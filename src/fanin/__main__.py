"""What is done beside running: `python -m fanin sync`, `advise` and `compare`."""

import argparse
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from fanin.config.schema import PROJECT, SettingError, exit_on_user_error, register

TIMEOUT = 10  # seconds, for each store that does not answer


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m fanin", description="Everything but the runs themselves: see run.py --help."
    )
    commands = parser.add_subparsers(dest="command")
    commands.add_parser(
        "sync",
        help="deliver the runs that wait because their store was away",
        description="Deliver the runs that wait in outputs/ because their store was away, and "
        "close in it those whose process is gone. The address of a store with a password is not "
        "kept: set MLFLOW_TRACKING_URI to it.",
    )
    advising = commands.add_parser(
        "advise",
        help="rank the inits for a network, by theory",
        description="Rank the options of init for a network, by theory and in a moment: "
        "python -m fanin advise activation=tanh depth=200 hidden_size=64. Settings are those of "
        "run.py; with init settings among them, that init is ranked too. A verdict with a "
        "question mark is that of most seeds, and not of nearly all. low and high: between them "
        "lie the middle two thirds of seeds. gradient: the norm of dL/dz at the first layer over "
        "that at the last. cosine: between inputs, at the last layer. phase: whether gradients "
        "vanish (ordered), explode (chaotic) or keep their size in the long run.",
    )
    advising.add_argument("settings", nargs="*", metavar="SETTING=VALUE")
    comparing = commands.add_parser(
        "compare",
        help="draw tracked runs beside each other, whichever sweeps they come from",
        description="Draw tracked runs beside each other, from the store alone: the table and the "
        "figures that a sweep ends with. python -m fanin compare ID ID; or a filter in MLflow's "
        "words: python -m fanin compare \"params.activation = 'tanh' and params.depth = '50'\".",
    )
    comparing.add_argument(
        "runs", nargs="+", metavar="RUN", help="the id of a run or of a sweep, or a filter"
    )
    comparing.add_argument("--uri", help="the store, by default that of run.py")
    comparing.add_argument(
        "--to", type=Path, metavar="FOLDER", help="by default one in outputs/comparisons"
    )
    typed, unknown = parser.parse_known_args()
    if typed.command is None:
        parser.print_help()
        return
    with exit_on_user_error():
        if unknown:
            raise SettingError(f"{unknown[0]}: no such flag; settings are written as depth=50")
        if typed.command == "sync":
            sync()
        elif typed.command == "advise":
            advise(typed.settings)
        else:
            compare(typed.runs, typed.uri, typed.to)


def sync() -> None:
    """Bring every record that waits to its store; SettingError where some go on waiting."""
    from fanin.runner.run import (
        flush_all_pending,  # torch and mlflow, which --help does not wait for
    )

    settled = flush_all_pending(TIMEOUT)
    print(f"delivered {settled.delivered}, still waiting {settled.waiting}")
    if settled.waiting:
        raise SettingError("; ".join(f"{uri}: {said}" for uri, said in settled.reasons.items()))


def advise(settings: Sequence[str]) -> None:
    """Print the ranking of inits for the network of these settings. Raises SettingError."""
    register()
    from fanin.report.terminal import screen
    from fanin.runner.advise import advise as rank_inits

    rank_inits(settings, screen())


def compare(references: Sequence[str], uri: str | None, folder: Path | None) -> None:
    """Print the table of the runs that are meant, and draw their figures. Raises SettingError."""
    folder = folder or PROJECT / "outputs" / "comparisons" / f"{datetime.now():%Y-%m-%d_%H-%M-%S}"
    from fanin.report.figures import DRAWINGS
    from fanin.report.progress import status
    from fanin.report.terminal import print_files, screen, show_comparison
    from fanin.runner.load import comparison_of, find, varying

    with status("reading the store ..."):
        outcomes = find(references, uri)
    comparison = comparison_of(outcomes, ", ".join(references))
    show_comparison(comparison, varying(outcomes) or ["init", "activation", "depth"], screen())
    with status("drawing ..."):
        folder.mkdir(parents=True, exist_ok=True)
        names = [name for drawing in DRAWINGS for name in drawing(comparison, folder)]
    screen().print()
    print_files(folder, names, screen())


if __name__ == "__main__":
    main()
