"""Files with data of one's own."""

import numpy as np
import pytest


@pytest.fixture
def file(tmp_path):
    """Write a file, from text, bytes or arrays, and give the data that reads it, as it is."""
    from fanin.runner.data import File  # noqa: PLC0415

    def write(content, name=None, **settings):
        if isinstance(content, dict):
            path = tmp_path / (name or "data.npz")
            np.savez(path, **content)
        else:
            path = tmp_path / (name or "data.csv")
            path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return File(path=str(path), **{"standardize": False, **settings})

    return write


@pytest.fixture
def sorted_rows():
    """A function: a batch as sorted tuples of inputs and target."""

    def sort(batch):
        inputs, targets, _ = batch
        return sorted(
            (*row, target) for row, target in zip(inputs.tolist(), targets.tolist(), strict=True)
        )

    return sort
