"""Store errors: one sentence for each error of MLflow and the drivers below it."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

from mlflow.exceptions import MlflowException

from fanin.tracking.passwords import mask_passwords


class StoreError(Exception):
    """The store cannot be opened, or does not answer. Its text is one line that says why."""


class RefusedError(StoreError):
    """The store answers, but refuses the request or does not have the item."""


_REFUSALS = (
    "INVALID_PARAMETER_VALUE",
    "PERMISSION_DENIED",
    "RESOURCE_ALREADY_EXISTS",
    "RESOURCE_DOES_NOT_EXIST",
)

_SENTENCES = (
    (
        r"out-of-date database schema \(found version (\w+), but expected (\w+)\)",
        r"is a store of another version of MLflow (\1, not \2); "
        "run mlflow db upgrade on it, or name another store",
    ),
    (r"Can't locate revision .*'(\w+)'", r"is a store of a newer MLflow (\1); name another store"),
    (
        r"filesystem tracking backend",
        "is neither a database nor a server; write sqlite:///FILE, or http://HOST:PORT",
    ),
    (
        r"unsupported URI|Could not find a registered",
        "is not a database or server that MLflow knows; write sqlite:///FILE, or http://HOST:PORT",
    ),
    (r"No module named '(\w+)'", r"needs the Python package \1; install it, or name another store"),
    (
        r"Max retries exceeded|Connection refused|Name or service not known",
        "no server answers there; is it running?",
    ),
    (r"database or disk is full", "its disk is full; name another store"),
    (r"is not a database", "is not a SQLite database; name another file"),
    (r"unable to open database file", "cannot be written to; name another file"),
    (
        r"database is locked",
        "is locked by another program; wait until it is done, or name another store",
    ),
)


@contextmanager
def translate_errors() -> Iterator[None]:
    """Turn every exception into a StoreError with a text of one line."""
    try:
        yield
    except StoreError:
        raise
    except Exception as error:  # any driver, network or file system may fail
        refused = isinstance(error, MlflowException) and error.error_code in _REFUSALS
        kind = RefusedError if refused else StoreError
        raise kind(mask_passwords(explain(error))) from error


def explain(error: Exception) -> str:
    """Say what is wrong with the store and what would work; return an unknown error's text."""
    text = " ".join(str(error).split())
    for pattern, sentence in _SENTENCES:
        match = re.search(pattern, text, re.IGNORECASE)
        if match:
            return match.expand(sentence)
    return text
