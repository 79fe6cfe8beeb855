"""The data set of a run, as MLflow stores it and shows it in its table of runs."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

MAX_NAME_LENGTH = 500
MAX_SCHEMA_LENGTH = 60_000  # MySQL cuts texts at 65,535 bytes


@dataclass(frozen=True)
class Dataset:
    """The fields of MLflow's Dataset. source, schema and profile are JSON.

    digest: equal for equal data, at most 36 characters.
    """

    name: str
    digest: str
    source_type: str
    source: str
    schema: str
    profile: str


def make_dataset(
    name: str, digest: str, source: str, columns: Sequence[str], shape: tuple[int, int]
) -> Dataset:
    """Describe a table or a batch of numbers.

    source: an absolute path, or the name of the code that makes the data. columns: the names of
    the features, then of the targets; empty if they have no names. shape: (rows, features).
    """
    is_file = Path(source).is_absolute()
    place = {"uri": source} if is_file else {"tags": {"mlflow.source.name": source}}
    rows, features = shape
    profile = {"num_rows": rows, "num_elements": rows * features}
    return Dataset(
        name=name[:MAX_NAME_LENGTH],
        digest=digest,
        source_type="local" if is_file else "code",
        source=json.dumps(place),
        schema=_format_schema(columns, shape),
        profile=json.dumps(profile),
    )


def _format_schema(columns: Sequence[str], shape: tuple[int, int]) -> str:
    if columns:
        named = [{"type": "double", "name": name, "required": True} for name in columns]
        text = json.dumps({"mlflow_colspec": named})
        if len(text) <= MAX_SCHEMA_LENGTH:
            return text
    tensor = {"dtype": "float64", "shape": [-1, *shape[1:]]}
    features = json.dumps([{"type": "tensor", "tensor-spec": tensor}])
    return json.dumps({"mlflow_tensorspec": {"features": features, "targets": None}})
