"""Why a store cannot be opened: one line for what MLflow and the drivers below it raise."""

import re

_REASONS = (
    (
        r"out-of-date database schema \(found version (\w+), but expected (\w+)\)",
        r"is a store of another version of MLflow (\1, not \2); "
        "run mlflow db upgrade on it, or name another",
    ),
    (r"Can't locate revision .*'(\w+)'", r"is a store of a newer MLflow (\1); name another"),
    (
        r"filesystem tracking backend",
        "is no database and no server; write sqlite:///FILE, or http://HOST:PORT",
    ),
    (
        r"unsupported URI|Could not find a registered",
        "is no database and no server that MLflow knows; write sqlite:///FILE, or http://HOST:PORT",
    ),
    (r"No module named '(\w+)'", r"needs the Python package \1; install it, or name another store"),
    (
        r"Max retries exceeded|Connection refused|Name or service not known",
        "no server answers there; is it running?",
    ),
    (r"database or disk is full", "its disk is full; name another"),
    (r"is not a database", "is no SQLite database; name another file"),
    (r"unable to open database file", "cannot be written to; name another file"),
    (r"database is locked", "another program holds it; wait for that, or name another"),
)


def reason(error: Exception) -> str:
    """What is wrong with the store, and what would work; in the error's words if they are new."""
    said = " ".join(str(error).split())
    for pattern, answer in _REASONS:
        found = re.search(pattern, said, re.IGNORECASE)
        if found:
            return found.expand(answer)
    return said
