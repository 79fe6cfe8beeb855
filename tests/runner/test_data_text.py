"""data=file from text: dialects, decimals, encodings, compression."""

import bz2
import gzip
import lzma

import pandas as pd
import pytest
import torch

from fanin.nn.losses import CrossEntropy
from fanin.runner.data import File

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
def test_csv(file, text, sorted_rows):
    batch = file(text).load(3)
    assert sorted_rows(batch) == ROWS
    assert batch[0].shape == (3, 2)
    assert batch[1].shape == (3,)
    assert all(tensor.is_floating_point() for tensor in batch)


def test_csv_with_classes_in_its_last_column(file):
    _, targets, _ = file("0.5,0\n1.5,2\n2.5,1\n").load(3)
    assert sorted(CrossEntropy().prepare(targets, torch.float32).tolist()) == [0, 1, 2]


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
def test_dialects(file, name, text, sorted_rows):
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
def test_compressed(tmp_path, name, opener, sorted_rows):
    with opener(tmp_path / name, "wt") as opened:
        TABLE.to_csv(opened, index=False)
    data = File(path=str(tmp_path / name), standardize=False)
    assert sorted_rows(data.load(3)) == TABLE_ROWS


@pytest.mark.parametrize(
    ("encoding", "name"), [("utf-8", "Größe"), ("utf-16", "Größe"), ("cp1252", "Größe")]
)
def test_encodings(file, encoding, name):
    text = f"{name};Maß;y\n1,5;2;ja\n2,5;4;nein\n"
    table = file(text.encode(encoding)).table()
    assert table.features == ("Größe", "Maß")
    assert table.classes == ("ja", "nein")
