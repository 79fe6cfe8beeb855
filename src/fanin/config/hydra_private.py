"""The only private name of Hydra that we use. It works with Hydra 1.3."""

from argparse import ArgumentParser

from hydra._internal.utils import get_args_parser


def argument_parser() -> ArgumentParser:
    """The parser of Hydra's command line: flags, and a list of overrides."""
    parser: ArgumentParser = get_args_parser()
    return parser
