"""A migrated SQLite store, copied where MLflow would migrate an empty one (0.8 s each).

`Workplace(folder, migrates=True)` is for tests of a store that is made from nothing; processes that
import everything themselves (`Workplace.run_afresh`, `Workplace.start_afresh`) migrate too.
"""

import os
import sqlite3
import tempfile
from pathlib import Path

import sqlalchemy
from filelock import FileLock

FOLDER = "FANIN_TEST_TEMPLATE"
"""The variable that names the folder of the template, the same for all processes of a test run.

Where it is empty, stores are migrated.
"""


def copy_instead_of_migrating() -> None:
    """Let this process copy the template, and make it where it is not there yet."""
    from mlflow.store.db import utils

    migrate = utils._initialize_tables
    if hasattr(migrate, "copies") or os.environ.get(FOLDER) == "":
        return

    def copy(engine: sqlalchemy.engine.Engine) -> None:
        path = engine.url.database if engine.url.get_backend_name() == "sqlite" else None
        if not path or (os.path.exists(path) and os.path.getsize(path)):
            migrate(engine)
            return
        template = _template(migrate)
        with sqlite3.connect(template) as source, engine.connect() as connection:
            source.backup(connection.connection.dbapi_connection)

    copy.copies = True
    utils._initialize_tables = copy


def _template(migrate) -> Path:
    folder = Path(os.environ.get(FOLDER) or tempfile.mkdtemp(prefix="fanin-template-"))
    os.environ[FOLDER] = str(folder)
    template = folder / "migrated.db"
    with FileLock(folder / "lock"):
        if not template.exists():
            making = folder / "making.db"
            engine = sqlalchemy.create_engine(f"sqlite:///{making}")
            migrate(engine)
            engine.dispose()
            making.rename(template)
    return template
