"""data=file: targets, words, missing values, images; frames and arrays."""

import os

import numpy as np
import pandas as pd
import pytest
import torch

from fanin.nn.losses import CrossEntropy
from fanin.runner.data import File, digest
from fanin.runner.data_table import as_classes


@pytest.mark.parametrize("x_type", [np.float64, np.float32, np.float16, np.int32, np.uint8, bool])
@pytest.mark.parametrize("y_type", [np.float64, np.float32, np.int64, np.int16, np.uint8, bool])
def test_npz(file, x_type, y_type, sorted_rows):
    x, y = np.array([[0, 1], [1, 0], [1, 1]], x_type), np.array([0, 1, 1], y_type)
    batch = file({"x": x, "y": y}).load(3)
    assert sorted_rows(batch) == [(0, 1, 0), (1, 0, 1), (1, 1, 1)]
    assert batch[0].dtype in (torch.float32, torch.float64)
    assert CrossEntropy().prepare(batch[1], torch.float32).sum() == 2


def test_npz_with_several_targets(file):
    x, y = np.arange(12.0).reshape(4, 3), np.arange(8.0).reshape(4, 2)
    inputs, targets, _ = file({"x": x, "y": y, "more": x}).load(4)
    assert targets.shape == (4, 2)
    assert (inputs[:, 0] / 3).tolist() == (targets[:, 0] / 2).tolist()


def test_npz_of_another_machines_byte_order(file, sorted_rows):
    x, y = np.array([[1.0], [2.0]], ">f8"), np.array([10, 20], ">i8")
    assert sorted_rows(file({"x": x, "y": y}).load(2)) == [(1, 10), (2, 20)]


def test_a_batch_is_rows_of_the_file_none_twice(file):
    table = "".join(f"{n},{2 * n}\n" for n in range(100))
    inputs, targets, _ = file(table, seed=1).load(30)
    assert len(inputs.unique()) == 30
    assert torch.equal(2 * inputs[:, 0], targets)
    assert torch.equal(inputs, file(table, seed=1).load(30).inputs)
    assert not torch.equal(inputs, file(table, seed=2).load(30)[0])


def test_a_batch_can_be_changed_without_changing_the_file(file, sorted_rows):
    data = file("1,2\n3,4\n")
    data.load(2)[0].zero_()
    assert sorted_rows(data.load(2)) == [(1, 2), (3, 4)]


def test_a_file_that_changed_is_read_again(file, sorted_rows):
    data = file("1,2\n3,4\n")
    data.load(2)
    data = file("5,6\n7,8\n")
    os.utime(data.path, (1, 1))
    assert sorted_rows(data.load(2)) == [(5, 6), (7, 8)]


def test_relative_and_home_paths(file, tmp_path, monkeypatch, sorted_rows):
    file("1,2\n3,4\n", name="mine.csv")
    monkeypatch.chdir(tmp_path)
    assert sorted_rows(File(path="mine.csv", standardize=False).load(2)) == [(1, 2), (3, 4)]
    monkeypatch.setenv("HOME", str(tmp_path))
    assert sorted_rows(File(path="~/mine.csv", standardize=False).load(2)) == [(1, 2), (3, 4)]


TABLE = pd.DataFrame({"a": [1.5, 2.5, -3.0], "b": [10, 30, 20], "y": [0, 1, 0]})


@pytest.mark.parametrize("kind", ["parquet", "feather"])
def test_frames(tmp_path, kind):
    frame = TABLE.assign(word=pd.Categorical(["u", "v", "u"]), when=[True, False, False])
    getattr(frame, f"to_{kind}")(tmp_path / f"t.{kind}")
    table = File(path=str(tmp_path / f"t.{kind}"), target="y", standardize=False).table()
    assert table.features == ("a", "b", "word=u", "word=v", "when")
    assert table.inputs.tolist()[0] == [1.5, 10, 1, 0, 1]


@pytest.mark.parametrize(
    ("target", "column"), [(None, 3), ("b", 2), (2, 2), (-2, 2), (1, 1), ("y", 3), (["b"], 2)]
)
def test_the_target_may_be_elsewhere(file, target, column):
    table = file("a,b,y\n1,20,300\n2,10,100\n5,50,200\n", target=target).table()
    columns = np.array([[1, 2, 5], [20, 10, 50], [300, 100, 200]])
    assert table.targets.tolist() == columns[column - 1].tolist()
    assert table.inputs.T.tolist() == np.delete(columns, column - 1, axis=0).tolist()


def test_a_column_that_is_named_by_a_number(file):
    table = file("label,0,1,2\n7,1,5,9\n8,3,2,4\n", target=0).table()
    assert table.target == ("0",)
    assert table.features == ("label", "1", "2")


def test_several_targets_and_one_hot_ones(file):
    table = file("a,b,c,d\n1,5,1,0\n2,7,0,1\n4,8,1,0\n", target=["c", "d"]).table()
    assert table.targets.tolist() == [[1, 0], [0, 1], [1, 0]]
    batch, names = as_classes(table.draw(3, 0), table.target)
    assert names == ("c", "d")
    assert sorted(batch.targets.tolist()) == [0, 0, 1]


@pytest.mark.parametrize(
    ("target", "complaint"),
    [
        ("z", r"^target=z: no such column \(alpha, beta\)"),
        ("beda", r"^target=beda: no such column; did you mean beta\?"),
        (3, r"^target=3: no such column; use 1 to 2, or -1 for the last"),
        (0, r"^target=0: no such column"),
        (["alpha", "beta"], r"^target=alpha: no column is left for the features"),
    ],
)
def test_a_target_that_is_not_there(file, target, complaint):
    with pytest.raises(ValueError, match=complaint):
        file("alpha,beta\n1,2\n3,4\n", target=target).table()


@pytest.mark.parametrize(
    ("labels", "classes"),
    [
        (["cat", "dog", "cat"], ("cat", "dog")),
        (["no", "yes", "no"], ("no", "yes")),
        (["True", "False", "True"], ("False", "True")),
        (["true", "false", "true"], ("False", "True")),
        (["1st", "2nd", "1st"], ("1st", "2nd")),
    ],
)
def test_words_as_labels(file, labels, classes):
    text = "".join(f"{n * n},{label}\n" for n, label in enumerate(labels))
    table = file(text).table()
    batch, names = as_classes(table.draw(3, 0), table.classes)
    assert names == table.classes == classes
    assert table.has_words == (classes != ("False", "True"))
    by_row = {int(x): names[y] for (x,), y in zip(batch.inputs, batch.targets, strict=True)}
    assert [by_row[n * n].lower() for n in range(3)] == [label.lower() for label in labels]


def test_words_as_features_are_one_hot(file):
    text = "size,colour,y\n1,red,0\n5,blue,1\n7,red,0\n"
    table = file(text).table()
    assert table.features == ("size", "colour=blue", "colour=red")
    assert table.inputs.tolist() == [[1, 0, 1], [5, 1, 0], [7, 0, 1]]
    assert "one-hot colour (2)" in table.remarks
    dropped = file(text, categorical="drop").table()
    assert dropped.features == ("size",)
    assert "left out colour (words)" in dropped.remarks


def test_more_words_than_that_are_refused(file):
    text = "name,a,y\n" + "".join(f"name {n},{n * n},{n % 2}\n" for n in range(21))
    with pytest.raises(ValueError, match=r"column name has 21 .* data\.categorical=drop"):
        file(text).table()
    assert file(text, categorical="drop").table().features == ("a",)


MISSING = "a,b,y\n1,2,0\n?,3,1\n5,NA,0\n8,4,\n9,7,1\n"


def test_missing_values(file):
    with pytest.raises(ValueError, match=r"a \(1 of 5\), b \(1 of 5\), y \(1 of 5\); .*=drop"):
        file(MISSING).table()
    dropped = file(MISSING, missing="drop").table()
    assert dropped.inputs.tolist() == [[1, 2], [9, 7]]
    assert "left out 3 of 5 rows, which lack values" in dropped.remarks
    filled = file(MISSING, missing="mean").table()
    assert filled.inputs.tolist() == [[1, 2], [5, 3], [5, 4], [9, 7]]
    assert filled.targets.tolist() == [0, 1, 0, 1]
    assert "missing values of a, b are the column's mean" in filled.remarks


def test_missing_words_take_the_share_of_each(file):
    table = file("a,b,y\n1,u,0\n3,,1\n7,v,0\n8,u,1\n", missing="mean").table()
    assert table.inputs[1].tolist() == [3, pytest.approx(2 / 3), pytest.approx(1 / 3)]


def test_features_are_standardised_one_by_one(file):
    text = "".join(f"{n % 7},{1000 * (n % 5) + n},{n % 2}\n" for n in range(50))
    table = file(text, standardize=True).table()
    assert np.abs(table.inputs.mean(0)).max() < 1e-12
    assert np.abs(table.inputs.std(0) - 1).max() < 1e-12
    assert file(text).table().inputs[6].tolist() == [6, 1006]


@pytest.mark.parametrize("shape", [(28, 28), (3, 8, 8), (20,)])
def test_images_are_flattened_and_standardised_together(file, shape):
    images = np.random.default_rng(0).integers(0, 256, (10, *shape)).astype(np.uint8)
    images[:, 0] = 0  # pixels that are always black stay
    table = file({"x": images, "y": np.arange(10) % 3}, standardize=True).table()
    expected = images.reshape(10, -1).astype(float)
    assert table.inputs.shape == expected.shape
    assert table.inputs == pytest.approx((expected - expected.mean()) / expected.std())
    raw = file({"x": images, "y": np.arange(10) % 3}).table()
    assert (raw.inputs == expected).all()


@pytest.mark.parametrize(
    "names",
    [("X", "y"), ("x", "y"), ("data", "target"), ("features", "labels"), ("X_train", "y_train")],
)
def test_the_names_of_arrays(file, names):
    x, y = np.array([[1.0, 5], [2, 3]]), np.array(["a", "b"])
    table = file(dict(zip(names, (x, y), strict=True))).table()
    assert table.inputs.tolist() == x.tolist()
    assert (table.classes, table.target) == (("a", "b"), (names[1],))


def test_an_array_named_as_the_target(file):
    arrays = {"x": np.array([[1.0], [2]]), "y": np.zeros(2), "age": np.array([5, 9])}
    assert file(arrays, target="age").table().targets.tolist() == [5, 9]
    with pytest.raises(ValueError, match=r"^target=z: no such array; use one of x, y, age"):
        file(arrays, target="z").table()


@pytest.mark.parametrize(("inputs", "targets"), [("x", "y"), ("X", "y"), ("features", "labels")])
def test_a_pair_of_arrays(tmp_path, inputs, targets, sorted_rows):
    np.save(tmp_path / f"{inputs}.npy", np.array([[1.0, 5], [2, 3]]))
    np.save(tmp_path / f"{targets}.npy", np.array([7, 9]))
    data = File(path=str(tmp_path / f"{inputs}.npy"), standardize=False)
    assert sorted_rows(data.load(2)) == [(1, 5, 7), (2, 3, 9)]
    before = digest(data.path)
    np.save(tmp_path / f"{targets}.npy", np.array([7, 8]))
    os.utime(tmp_path / f"{targets}.npy", (1, 1))
    assert sorted_rows(data.load(2)) == [(1, 5, 7), (2, 3, 8)]
    assert digest(data.path) != before


def test_a_pair_that_is_named_and_a_single_array(tmp_path, sorted_rows):
    np.save(tmp_path / "a.npy", np.array([[1.0, 5], [2, 3]]))
    np.save(tmp_path / "b.npy", np.array([7, 9]))
    path = str(tmp_path / "a.npy")
    with pytest.raises(ValueError, match=r"its targets are missing; .*data\.target=y\.npy"):
        File(path=path).table()
    named = File(path=path, target=str(tmp_path / "b.npy"), standardize=False)
    assert sorted_rows(named.load(2)) == [(1, 5, 7), (2, 3, 9)]
    column = File(path=path, target=-1, standardize=False)
    assert sorted_rows(column.load(2)) == [(1, 5), (2, 3)]
    with pytest.raises(ValueError, match=r"^target=c\.npy: there is no such file"):
        File(path=path, target="c.npy").table()


def test_a_batch_that_is_larger_than_the_file_is_the_whole_file(file, sorted_rows):
    assert sorted_rows(file("1,2\n3,4\n").load(3)) == [(1, 2), (3, 4)]
