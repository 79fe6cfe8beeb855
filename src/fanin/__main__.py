"""What is done beside running: `python -m fanin sync`."""

import argparse

from fanin.config import SettingError, one_line_errors

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
    if parser.parse_args().command is None:
        parser.print_help()
        return
    with one_line_errors():
        sync()


def sync() -> None:
    """Bring every record that waits to its store; SettingError where some go on waiting."""
    from fanin.pipeline import settle_all  # torch and mlflow, which --help does not wait for

    settled = settle_all(TIMEOUT)
    print(f"delivered {settled.delivered}, still waiting {settled.waiting}")
    if settled.waiting:
        raise SettingError("; ".join(f"{uri}: {said}" for uri, said in settled.reasons.items()))


if __name__ == "__main__":
    main()
