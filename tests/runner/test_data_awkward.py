"""Awkward tables, each read right or refused in one line that names the column and a remedy."""

import re

import numpy as np
import pandas as pd
import pytest

from fanin.runner.data import File


def lines(*rows):
    return "\n".join(rows) + "\n"


READ = {
    "quoted commas.csv": (
        lines("town,size,y", '"York, North",5,0', '"Hull, East",7,1', '"York, North",1,0'),
        ["town=Hull, East", "town=York, North", "size"],
        [[0, 1, 5], [1, 0, 7], [0, 1, 1]],
    ),
    "quoted newlines.csv": (
        lines("note,size,y", '"a\nb",5,0', '"c",7,1', '"a\nb",2,1'),
        ["note=a\nb", "note=c", "size"],
        [[1, 0, 5], [0, 1, 7], [1, 0, 2]],
    ),
    "doubled quotes.csv": (
        lines('"the ""a""",b,y', '1,"2",0', "5,4,1"),
        ['the "a"', "b"],
        [[1, 2], [5, 4]],
    ),
    "old mac.csv": ("a,b,y\r1,2,0\r5,4,1\r", ["a", "b"], [[1, 2], [5, 4]]),
    "no last newline.csv": ("a,b,y\n1,2,0\n5,4,1", ["a", "b"], [[1, 2], [5, 4]]),
    "blanks around.csv": (
        lines(" a , b ,y", " 1 ,\t2 ,0", "5, 4 ,1"),
        ["a", "b"],
        [[1, 2], [5, 4]],
    ),
    "names twice.csv": (
        lines("a,a,a,y", "1,2,3,0", "5,4,7,1"),
        ["a", "a.2", "a.3"],
        [[1, 2, 3], [5, 4, 7]],
    ),
    "a name missing.csv": (lines("a,,y", "1,2,0", "5,4,1"), ["a", "2"], [[1, 2], [5, 4]]),
    "a long preamble of comments.csv": (
        lines(*["# note"] * 300, "a,b,y", "1,2,0", "5,4,1"),
        ["a", "b"],
        [[1, 2], [5, 4]],
    ),
    "exponents.csv": (lines("1e3,-2.5E-1,0", "+5e0,.5,1"), ["1", "2"], [[1000, -0.25], [5, 0.5]]),
    "german.csv": (
        lines("Größe;Preis;Art", "1,5;1.200,50;neu", "2,5;800,00;alt"),
        ["Größe", "Preis"],
        [[1.5, 1200.5], [2.5, 800]],
    ),
    "swiss.txt": (
        lines("a\tb\ty", "1'200.5\t3\t0", "2'000\t7\t1"),
        ["a", "b"],
        [[1200.5, 3], [2000, 7]],
    ),
    "fixed width.txt": (
        lines("  size  age  y", "   1.5   30  0", "  12.5    4  1"),
        ["size", "age"],
        [[1.5, 30], [12.5, 4]],
    ),
    "only words.csv": (
        lines("x,s,e", "b,s,p", "x,y,e", "b,y,p", "x,s,e", "b,s,e"),
        ["1=b", "1=x", "2=s", "2=y"],
        [[0, 1, 1, 0], [1, 0, 1, 0], [0, 1, 0, 1], [1, 0, 0, 1], [0, 1, 1, 0], [1, 0, 1, 0]],
    ),
    "words with a header.csv": (
        lines("hat,gill,kind", "b,s,p", "x,y,e", "b,y,p"),
        ["hat=b", "hat=x", "gill=s", "gill=y"],
        [[1, 0, 1, 0], [0, 1, 0, 1], [1, 0, 0, 1]],
    ),
    "big numbers.csv": (
        lines("8123456789,7,0", "9123456789,9,1"),
        ["1", "2"],
        [[8123456789, 7], [9123456789, 9]],
    ),
    "booleans.csv": (
        lines("a,is_new,y", "3,True,0", "5,False,1"),
        ["a", "is_new"],
        [[3, 1], [5, 0]],
    ),
    "escape sequences.csv": (
        lines("a\x1b[31m,b,y", "1,2,0", "5,4,1"),
        ["a?[31m", "b"],
        [[1, 2], [5, 4]],
    ),
}

REFUSED = {
    "a wrong cell.csv": (lines("a,b,y", "1,2,0", "5,4,1", "7,?x,0"), r"line 4, column b has '\?x'"),
    "a wrong target.csv": (
        lines("a,y", "1,0", "", "# no", "5,oops"),
        "line 5, column y has 'oops'",
    ),
    "units.csv": (
        lines("a,y", "1,0", "5,1", "7 kg,0"),
        "line 4, column a has '7 kg' among numbers; correct",
    ),
    "after a quoted newline.csv": (
        lines('"n",a,y', '"p\nq",1,0', "r,2,1", "r,x,1"),
        "line 5, column a has 'x'",
    ),
    "dates.csv": (
        lines("day,y", *(f"2020-01-{n + 1:02},{n % 2}" for n in range(30))),
        "column day has 30 different words, such as '2020-01-01', .* data.categorical=drop",
    ),
    "ragged.csv": (
        lines("a,b,y", "1,2,0", "5,4", "7,8,1"),
        "line 3 has 2 columns, not 3; .*data.separator",
    ),
    "ragged late.csv": (
        lines(*["1,2,0"] * 500, "1,2,0,9"),
        "line 501 has 4 columns, not 3; .*data.separator",
    ),
    "a long header.csv": (
        lines("a,b,c,d,y", "1,2,0", "5,4,1"),
        "line 1 names 5 columns.*data.separator",
    ),
    "gaps.csv": (
        lines("a,b,y", "1,,0", "5,,1", ",7,1"),
        r"missing in a \(1 of 3\), b \(2 of 3\); data.missing=drop",
    ),
    "infinite.csv": (lines("a,y", "1,0", "inf,1"), "line 3, column a has inf; use finite numbers"),
    "one column.csv": (lines("1", "2"), "one column; .*data.separator"),
    "nothing.csv": ("", "no lines with values"),
    "only names.csv": ("a,b,y\n", "no line below the names"),
    "no features.csv": (lines("a,b,y", "1,5,0", "1,5,1"), "no feature is left .*a, b, constant"),
    "binary.csv": (b"a,b\n\x00\x01,3\n", "bytes that do not occur in text; use a text file"),
    "half gzip.csv.gz": (b"\x1f\x8b\x08\x00nothing", "cannot be read"),
    "no.parquet": (b"PAR1 and no more", "not a readable .parquet file"),
    "workbook.xlsx": (b"PK", "use .csv, .tsv, .txt, .dat, .data .*npz"),
    "huge.csv": (lines("a,y", "1e308,0", "-1e308,1", "1,1"), "column a is too large, .*divide it"),
}


@pytest.fixture
def write(tmp_path):
    def write(name, content):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return str(path)

    return write


def test_there_are_thirty_and_more():
    assert len(READ) + len(REFUSED) >= 30


@pytest.mark.parametrize("name", READ)
def test_read_right(write, name):
    content, features, inputs = READ[name]
    table = File(path=write(name, content), standardize=False).table()
    assert [*table.features] == features
    assert table.inputs.tolist() == inputs


@pytest.mark.parametrize("name", REFUSED)
def test_refused_in_one_line(write, name):
    content, complaint = REFUSED[name]
    path = write(name, content)
    with pytest.raises(ValueError, match=complaint) as refusal:
        File(path=path).table()
    text = str(refusal.value)
    assert text.startswith(f"path={path}: ")
    assert len(text.splitlines()) == 1
    assert text.isprintable()


@pytest.mark.parametrize(
    ("column", "complaint"),
    [
        (
            pd.to_datetime(["2020-01-01", "2021-01-01"]),
            "column odd contains a Timestamp; replace it by numbers",
        ),
        ([[1], [2]], "column odd contains a"),
        ([b"a", b"b"], "column odd contains a bytes; replace it by numbers or words"),
    ],
    ids=["dates", "lists", "bytes"],
)
def test_what_no_feature_can_be(tmp_path, column, complaint):
    pd.DataFrame({"odd": column, "y": [0, 1]}).to_parquet(tmp_path / "t.parquet")
    with pytest.raises(ValueError, match=complaint):
        File(path=str(tmp_path / "t.parquet")).table()


@pytest.mark.parametrize(
    ("arrays", "complaint"),
    [
        ({"x": np.ones((3, 2))}, "it contains x; call its arrays x and y"),
        ({"y": np.ones(3)}, "it contains y; call"),
        ({"a": np.ones((3, 2)), "b": np.ones(3)}, "it contains a, b; call"),
        ({"x": np.ones(3), "y": np.ones(3)}, r"x is \(3,\)"),
        ({"x": np.ones((3, 2)), "y": np.ones(4)}, r"y is \(4,\)"),
        ({"x": np.ones((3, 2)), "y": np.ones((3, 1, 1))}, r"y is \(3, 1, 1\)"),
        ({"x": np.ones((3, 2)), "y": np.float64(1)}, r"y is \(\)"),
        ({"x": np.ones((0, 2)), "y": np.ones(0)}, r"x is \(0, 2\)"),
        ({"x": np.ones((3, 0)), "y": np.ones(3)}, r"x is \(3, 0\)"),
        ({"x": np.ones((3, 2)), "y": np.ones((3, 0))}, r"y is \(3, 0\)"),
        ({"x": np.array([[1, np.nan], [2, 3]]), "y": np.ones(2)}, r"missing in 2 \(1 of 2\)"),
        ({"x": np.ones((3, 2)), "y": np.array([1, np.inf, 2])}, "row 2, column y has inf"),
        ({"x": np.ones((3, 2)), "y": np.ones(3)}, "no feature is left"),
        ({"x": np.ones((3, 2), complex), "y": np.ones(3)}, "column 1 contains a complex"),
        ({"x": np.eye(3), "y": np.array([1, "b", None], object)}, "save numbers or texts"),
        ({"x": np.full((3, 4, 4), np.nan), "y": np.ones(3)}, "its images contain nan"),
        ({"x": np.ones((3, 4, 4)), "y": np.ones(3)}, "all pixels .* are equal"),
    ],
    ids=lambda value: None if isinstance(value, dict) else value,
)
def test_arrays_that_are_no_table(tmp_path, arrays, complaint):
    path = tmp_path / "data.npz"
    np.savez(path, **arrays)
    with pytest.raises(ValueError, match=complaint) as refusal:
        File(path=str(path)).table()
    assert str(refusal.value).startswith(f"path={path}: ")
    assert len(str(refusal.value).splitlines()) == 1


@pytest.mark.filterwarnings("ignore::ResourceWarning")  # NumPy leaves a broken zip open
@pytest.mark.parametrize("name", ["data.npz", "x.npy"])
@pytest.mark.parametrize("content", [b"", b"1,2\n3,4\n", b"PK\x03\x04 and no more"], ids=repr)
def test_arrays_that_are_none(write, name, content):
    with pytest.raises(ValueError, match=rf"^path=.*: it is not a readable {re.escape(name[-4:])}"):
        File(path=write(name, content)).table()


def test_one_kind_of_file_named_as_the_other(tmp_path):
    for name, save in (("data.npz", np.save), ("x.npy", np.savez)):
        with (tmp_path / name).open("wb") as opened:
            save(opened, np.ones((3, 2)))
        with pytest.raises(ValueError, match=r"^path=.*: it is not a readable \.np"):
            File(path=str(tmp_path / name)).table()


@pytest.mark.parametrize("name", ["data", "data.json", "data.pkl", "data.gz"])
def test_another_kind_of_file(write, name):
    with pytest.raises(ValueError, match=r"^path=.*: use \.csv, "):
        File(path=write(name, "1,2\n")).table()


def test_a_missing_file(tmp_path):
    for path in (tmp_path / "none.csv", tmp_path):
        with pytest.raises(ValueError, match=r"^path=.*: there is no such file"):
            File(path=str(path)).load(1)
