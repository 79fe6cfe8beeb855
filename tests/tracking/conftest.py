"""Fresh SQLite stores, copied from one that MLflow has migrated: its migrations take a second."""

import shutil

import pytest

from fanin.tracking.store import open_store


@pytest.fixture(scope="session")
def migrated_database(tmp_path_factory):
    """A SQLite file with MLflow's tables, and no experiment of ours. Copy it, do not open it."""
    folder = tmp_path_factory.mktemp("migrated")
    store = open_store(f"sqlite:///{folder}/mlflow.db", "template", folder, timeout=5)
    store.client.delete_experiment(store.experiment_id)
    return folder / "mlflow.db"


@pytest.fixture
def copy_database(migrated_database):
    """A function: put a fresh store into a folder, and return its address.

    Each copy has a path of its own, and MLflow keeps its connections by path.
    """

    def copy(folder) -> str:
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copy(migrated_database, folder / "mlflow.db")
        return f"sqlite:///{folder}/mlflow.db"

    return copy


@pytest.fixture
def database_uri(copy_database, tmp_path):
    """The address of a fresh store in `tmp_path`."""
    return copy_database(tmp_path)
