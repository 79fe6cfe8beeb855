"""The name that was meant, where one was typed that is not there."""

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
"""What else people call our options and settings; of several, those that the place has."""


def nearest(wrong: str, known: Collection[str]) -> str:
    """The end of a line that refuses a name: what was meant, and all that would work."""
    return did_you_mean(wrong, known) + (f" ({', '.join(known)})" if known else "")


def did_you_mean(wrong: str, known: Collection[str]) -> str:
    """The known name that is meant, by another word or by one spelled nearly so, as a question."""
    plain = wrong.lower().replace("-", "_").removesuffix(".yaml").removesuffix(".yml")
    meant = [name for name in (plain, *OTHER_NAMES.get(plain, ())) if name in known]
    names = meant or difflib.get_close_matches(plain, known, n=1)
    return f"; did you mean {' or '.join(names)}?" if names else ""
