"""Params as the texts that MLflow stores, and back."""

from collections.abc import Mapping

from fanin.measure.params import GROUPS, Params, ParamValue, format_value, parse_value


def format_params(params: Params) -> dict[str, str]:
    """Return the texts for MLflow: 2.0, True, None, kaiming."""
    return {name: format_value(value) for name, value in params.items()}


def parse_params(texts: Mapping[str, str]) -> dict[str, ParamValue]:
    """Return the values that `format_params` wrote as these texts.

    The name of an option stays a text, even if a user calls an option `2` or `None`.
    """
    return {name: text if name in GROUPS else parse_value(text) for name, text in texts.items()}
