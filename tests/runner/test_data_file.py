"""data=file: how tables are read from files, and one clear line for a file that is no table."""

import bz2
import gzip
import lzma
import os

import numpy as np
import pandas as pd
import pytest
import torch

from fanin.nn.losses import CrossEntropy
from fanin.runner.data import File, digest
from fanin.runner.data_table import as_classes


@pytest.fixture
def file(tmp_path):
    """Write a file, from text, bytes or arrays, and give the data that reads it."""

    def write(content, name=None, **settings):
        if isinstance(content, dict):
            path = tmp_path / (name or "data.npz")
            np.savez(path, **content)
        else:
            path = tmp_path / (name or "data.csv")
            path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return File(path=str(path), **{"standardize": False, **settings})

    return write


def sorted_rows(batch):
    inputs, targets, _ = batch
    return sorted(
        (*row, target) for row, target in zip(inputs.tolist(), targets.tolist(), strict=True)
    )


ROWS = [(1.0, 2.0, 10.0), (3.0, 4.0, 20.0), (5.0, -6.5, 30.0)]


@pytest.mark.parametrize(
    "text",
    [
        "1,2,10\n3,4,20\n5,-6.5,30\n",
        "1,2,10\n3,4,20\n5,-6.5,30",
        "1,2,10\r\n3,4,20\r\n5,-6.5,30\r\n",
        "\n1,2,10\n\n3,4,20\n5,-6.5,30\n\n",
        "a,b,target\n1,2,10\n3,4,20\n5,-6.5,30\n",
        '"first","second","target"\n"1","2","10"\n3,4,20\n5,-6.5,30\n',
        "\ufeffa,b,target\n1,2,10\n3,4,20\n5,-6.5,30\n",
        "1e0, 2.0 ,+10\n3,4,20\n5,-65e-1,30\n",
    ],
    ids=["plain", "no last newline", "crlf", "blank lines", "header", "quoted", "bom", "notations"],
)
def test_csv(file, text):
    batch = file(text).load(3)
    assert sorted_rows(batch) == ROWS
    assert batch[0].shape == (3, 2)
    assert batch[1].shape == (3,)
    assert all(tensor.is_floating_point() for tensor in batch)


def test_csv_with_classes_in_its_last_column(file):
    _, targets, _ = file("0.5,0\n1.5,2\n2.5,1\n").load(3)
    assert sorted(CrossEntropy().prepare(targets, torch.float32).tolist()) == [0, 1, 2]


@pytest.mark.parametrize("x_type", [np.float64, np.float32, np.float16, np.int32, np.uint8, bool])
@pytest.mark.parametrize("y_type", [np.float64, np.float32, np.int64, np.int16, np.uint8, bool])
def test_npz(file, x_type, y_type):
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


def test_npz_of_another_machines_byte_order(file):
    x, y = np.array([[1.0], [2.0]], ">f8"), np.array([10, 20], ">i8")
    assert sorted_rows(file({"x": x, "y": y}).load(2)) == [(1, 10), (2, 20)]


def test_a_batch_is_rows_of_the_file_none_twice(file):
    table = "".join(f"{n},{2 * n}\n" for n in range(100))
    inputs, targets, _ = file(table, seed=1).load(30)
    assert len(inputs.unique()) == 30
    assert torch.equal(2 * inputs[:, 0], targets)
    assert torch.equal(inputs, file(table, seed=1).load(30).inputs)
    assert not torch.equal(inputs, file(table, seed=2).load(30)[0])


def test_a_batch_can_be_changed_without_changing_the_file(file):
    data = file("1,2\n3,4\n")
    data.load(2)[0].zero_()
    assert sorted_rows(data.load(2)) == [(1, 2), (3, 4)]


def test_a_file_that_changed_is_read_again(file):
    data = file("1,2\n3,4\n")
    data.load(2)
    data = file("5,6\n7,8\n")
    os.utime(data.path, (1, 1))
    assert sorted_rows(data.load(2)) == [(5, 6), (7, 8)]


def test_relative_and_home_paths(file, tmp_path, monkeypatch):
    file("1,2\n3,4\n", name="mine.csv")
    monkeypatch.chdir(tmp_path)
    assert sorted_rows(File(path="mine.csv", standardize=False).load(2)) == [(1, 2), (3, 4)]
    monkeypatch.setenv("HOME", str(tmp_path))
    assert sorted_rows(File(path="~/mine.csv", standardize=False).load(2)) == [(1, 2), (3, 4)]


TABLE = pd.DataFrame({"a": [1.5, 2.5, -3.0], "b": [10, 30, 20], "y": [0, 1, 0]})
TABLE_ROWS = [(-3.0, 20.0, 0.0), (1.5, 10.0, 0.0), (2.5, 30.0, 1.0)]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("t.csv", "a;b;y\n1,5;10;0\n2,5;30;1\n-3,0;20;0\n"),
        ("t.tsv", "a\tb\ty\n1.5\t10\t0\n2.5\t30\t1\n-3\t20\t0\n"),
        ("t.tsv", "a\tb\ty\n1,5\t10\t0\n2,5\t30\t1\n-3\t20\t0\n"),
        ("t.txt", "   1.5   10  0\n   2.5   30  1\n  -3.0   20  0\n"),
        ("t.txt", "1,5 10 0\n2,5 30 1\n-3,0 20 0\n"),
        ("t.dat", "1.5|10|0\n2.5|30|1\n-3|20|0\n"),
        ("t.data", "1.5,10,0.\n2.5,30,1.\n-3,20,0.\n"),
        ("t.csv", "# made by hand\n\na,b,y\n1.5,10,0  # first\n% no\n2.5,30,1\n-3,20,0\n"),
        ("t.csv", "# a b y\n1.5,10,0\n2.5,30,1\n-3,20,0\n"),
        ("t.csv", "1.5,10,0,\n2.5,30,1,\n-3,20,0,\n"),
        ("t.csv", "a,b,y\n1.5,10,0,\n2.5,30,1,\n-3,20,0,\n"),
        ("t.csv", "a,b,y,\n1.5,10,0,\n2.5,30,1,\n-3,20,0,\n"),
        ("t.csv", "sep=;\n1.5;10;0\n2.5;30;1\n-3;20;0\n"),
        ("t.txt", '"a" "b" "y"\n"r1" 1.5 10 0\n"r2" 2.5 30 1\n"r3" -3 20 0\n'),
        ("t.csv", ",a,b,y\n0,1.5,10,0\n1,2.5,30,1\n2,-3,20,0\n"),
        ("t.csv", "id,a,b,y\n1,1.5,10,0\n2,2.5,30,1\n3,-3,20,0\n"),
        ("t.csv", "a,b,const,y\n1.5,10,7,0\n2.5,30,7,1\n-3,20,7,0\n"),
        ("t.csv", "a,b,none,y\n1.5,10,,0\n2.5,30,,1\n-3,20,,0\n"),
    ],
)
def test_dialects(file, name, text):
    assert sorted_rows(file(text, name=name).load(3)) == TABLE_ROWS


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('"1,234",5,1\n"2,000",7,0\n', 1234),
        ('"1,234,567.5",5,1\n"2,000",7,0\n', 1234567.5),
        ("1.234,5;5;1\n2.000;7;0\n", 1234.5),
        ("1.234.567;5;1\n2.000;7;0\n", 1234567),
        ("1 234,5;5;1\n2 000,1;7;0\n", 1234.5),
        ("1\u00a0234,5;5;1\n2\u202f000,1;7;0\n", 1234.5),
        ("1'234.5;5;1\n2'000.1;7;0\n", 1234.5),
        ("1,234;5,5;1\n2,000;7,5;0\n", 1.234),
        ("1.234;5.5;1\n2.000;7.5;0\n", 1.234),
        ("1,234\t5.5\t1\n2,000\t7.5\t0\n", 1234),
    ],
)
def test_thousands_and_decimals(file, text, value):
    assert file(text).table().inputs[0, 0] == value


def test_a_decimal_comma_that_comes_late(file):
    lines = [f"{n * n};{n % 3};{n % 2}" for n in range(500)]
    table = file("\n".join([*lines, "1,5;0;1"])).table()
    assert table.inputs[-1, 0] == 1.5
    assert "decimal comma" in table.remarks


def test_separator_and_decimal_can_be_said(file):
    text = "1,234;5\n2,000;6\n"
    assert file(text).table().inputs[0, 0] == 1.234
    assert file(text, decimal="point").table().inputs[0, 0] == 1234
    assert file("1:2\n3:4\n", separator="colon").table().inputs.tolist() == [[1], [3]]
    assert file("1:2\n3:4\n", separator=":").table().inputs.tolist() == [[1], [3]]


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        ({"separator": "dot"}, "^separator=dot: use one of comma, semicolon, tab"),
        ({"decimal": "dot"}, "^decimal=dot: use one of point, comma"),
        ({"separator": ",", "decimal": ","}, "^decimal=comma: the comma separates columns"),
        ({"categorical": "label"}, "^categorical=label: use one of onehot, drop"),
        ({"missing": "median"}, "^missing=median: use one of refuse, drop, mean"),
        ({"target": True}, "^target=True: use a column's name"),
        ({"target": 1.5}, "^target=1.5: use a column's name"),
    ],
)
def test_settings_that_are_none(file, settings, complaint):
    with pytest.raises(ValueError, match=complaint):
        file("1,2\n3,4\n", **settings)


@pytest.mark.parametrize(
    ("name", "opener"), [("t.csv.gz", gzip.open), ("t.csv.bz2", bz2.open), ("t.txt.xz", lzma.open)]
)
def test_compressed(tmp_path, name, opener):
    with opener(tmp_path / name, "wt") as opened:
        TABLE.to_csv(opened, index=False)
    data = File(path=str(tmp_path / name), standardize=False)
    assert sorted_rows(data.load(3)) == TABLE_ROWS


@pytest.mark.parametrize("kind", ["parquet", "feather"])
def test_frames(tmp_path, kind):
    frame = TABLE.assign(word=pd.Categorical(["u", "v", "u"]), when=[True, False, False])
    getattr(frame, f"to_{kind}")(tmp_path / f"t.{kind}")
    table = File(path=str(tmp_path / f"t.{kind}"), target="y", standardize=False).table()
    assert table.features == ("a", "b", "word=u", "word=v", "when")
    assert table.inputs.tolist()[0] == [1.5, 10, 1, 0, 1]


@pytest.mark.parametrize(
    ("encoding", "name"), [("utf-8", "Größe"), ("utf-16", "Größe"), ("cp1252", "Größe")]
)
def test_encodings(file, encoding, name):
    text = f"{name};Maß;y\n1,5;2;ja\n2,5;4;nein\n"
    table = file(text.encode(encoding)).table()
    assert table.features == ("Größe", "Maß")
    assert table.classes == ("ja", "nein")


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
    assert "left out colour, of words" in dropped.remarks


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
def test_a_pair_of_arrays(tmp_path, inputs, targets):
    np.save(tmp_path / f"{inputs}.npy", np.array([[1.0, 5], [2, 3]]))
    np.save(tmp_path / f"{targets}.npy", np.array([7, 9]))
    data = File(path=str(tmp_path / f"{inputs}.npy"), standardize=False)
    assert sorted_rows(data.load(2)) == [(1, 5, 7), (2, 3, 9)]
    before = digest(data.path)
    np.save(tmp_path / f"{targets}.npy", np.array([7, 8]))
    os.utime(tmp_path / f"{targets}.npy", (1, 1))
    assert sorted_rows(data.load(2)) == [(1, 5, 7), (2, 3, 8)]
    assert digest(data.path) != before


def test_a_pair_that_is_named_and_a_single_array(tmp_path):
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


def test_a_batch_that_is_larger_than_the_file_is_the_whole_file(file):
    assert sorted_rows(file("1,2\n3,4\n").load(3)) == [(1, 2), (3, 4)]
