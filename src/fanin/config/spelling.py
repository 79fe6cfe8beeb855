"""Suggestions for misspelled names."""

import difflib
from collections.abc import Collection

OTHER_NAMES = {
    "autograd": ("autograd_function", "module"),
    "batch": ("batch_size",),
    "bf16": ("bfloat16",),
    "bs": ("batch_size",),
    "ce": ("cross_entropy",),
    "crossentropy": ("cross_entropy",),
    "csv": ("file",),
    "default": ("torch_default",),
    "double": ("float64",),
    "float": ("float32",),
    "fp16": ("float16",),
    "fp32": ("float32",),
    "fp64": ("float64",),
    "gaussian": ("normal",),
    "glorot_uniform": ("glorot",),
    "gpu": ("cuda", "mps"),
    "half": ("float16",),
    "he": ("kaiming",),
    "he_normal": ("kaiming",),
    "hidden": ("hidden_size",),
    "kaiming_normal": ("kaiming",),
    "l2": ("mse",),
    "layers": ("depth",),
    "linear": ("identity",),
    "logistic": ("sigmoid",),
    "mean_squared_error": ("mse",),
    "mnist": ("digits",),
    "n_layers": ("depth",),
    "naive": ("loops",),
    "nll": ("cross_entropy",),
    "none": ("identity",),
    "num_layers": ("depth",),
    "pytorch": ("torch_default", "module", "builtin"),
    "seeds": ("replicas",),
    "swish": ("silu",),
    "torch": ("torch_default", "module", "builtin"),
    "units": ("hidden_size",),
    "width": ("hidden_size",),
    "xavier_normal": ("xavier",),
    "xavier_uniform": ("glorot",),
}
"""Other common names of our options and settings -> our names, in any group."""


def nearest(wrong: str, known: Collection[str]) -> str:
    """The end of an error line: a suggestion for the wrong name, and all known names."""
    return did_you_mean(wrong, known) + (f" ({', '.join(known)})" if known else "")


def did_you_mean(wrong: str, known: Collection[str]) -> str:
    """A question that suggests the known name closest to a wrong one; empty if none is close."""
    plain = wrong.lower().replace("-", "_").removesuffix(".yaml").removesuffix(".yml")
    synonyms = [name for name in (plain, *OTHER_NAMES.get(plain, ())) if name in known]
    names = synonyms or difflib.get_close_matches(plain, known, n=1)
    return f"; did you mean {' or '.join(names)}?" if names else ""
