"""Property: a frame that is written in any dialect is read back as it was."""

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fanin.runner.data import File

WORDS = ("red", "dark blue", "n", "Ärger", "x-1", "it's")
NUMBERS = st.one_of(
    st.integers(-(10**6), 10**6).map(float),
    st.integers(-(10**7), 10**7).map(lambda n: n / 100),
)


@st.composite
def tables(draw):
    """(kinds of columns, rows): a list of floats or of words each; the last is the target."""
    kinds = draw(st.lists(st.sampled_from(["number", "word"]), min_size=1, max_size=4))
    kinds = ["number", *kinds]  # in a table of words alone the header may not be detectable
    rows = draw(st.integers(3, 12))
    columns = [
        draw(
            st.lists(
                NUMBERS if kind == "number" else st.sampled_from(WORDS),
                min_size=rows,
                max_size=rows,
            )
        )
        for kind in kinds
    ]
    return kinds, columns


@st.composite
def dialects(draw):
    separator = draw(st.sampled_from([",", ";", "\t", "|", " "]))
    is_blank = separator == " "
    decimal = draw(st.sampled_from([".", ","])) if separator != "," else "."
    return {
        "separator": separator,
        "decimal": decimal,
        "thousands": draw(st.sampled_from(["", "'", "\u00a0", "." if decimal == "," else ","])),
        "newline": draw(st.sampled_from(["\n", "\r\n"])),
        "header": draw(st.booleans()),
        "trailing": draw(st.booleans()) and not is_blank,
        "comment": draw(st.booleans()),
        "quoted": draw(st.booleans()) or is_blank,  # words have blanks in them
        "encoding": draw(st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "cp1252"])),
    }


def write(path, columns, dialect):
    def cell(value):
        if isinstance(value, str):
            text = value
        else:
            marks = {",": dialect["thousands"], ".": dialect["decimal"]}
            text = f"{value:,.2f}".translate(str.maketrans(marks))
        is_quoted = dialect["quoted"] or dialect["separator"] in text
        return f'"{text}"' if is_quoted else text

    rows = [[cell(value) for value in row] for row in zip(*columns, strict=True)]
    if dialect["header"]:
        rows = [[f"col{n}" for n in range(len(columns))], *rows]
    end = dialect["separator"] if dialect["trailing"] else ""
    lines = [dialect["separator"].join(row) + end for row in rows]
    if dialect["comment"]:
        lines = ["# one, two, three, four, five, six, seven", "", *lines]
    text = dialect["newline"].join([*lines, ""])
    path.write_bytes(text.encode(dialect["encoding"]))


@settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(table=tables(), dialect=dialects(), number=st.integers(0, 10**9))
def test_a_table_is_read_back(tmp_path, table, dialect, number):
    kinds, columns = table
    columns[0] = [value + row * row for row, value in enumerate(columns[0])]  # counts no rows
    path = tmp_path / f"{number}.csv"
    write(path, columns, dialect)
    data = File(path=str(path), standardize=False)
    if len(set(columns[0])) == 1 and all(len(set(column)) == 1 for column in columns[:-1]):
        return  # no feature varies
    read = data.table()
    names = [f"col{n}" if dialect["header"] else str(n + 1) for n in range(len(columns))]
    expected = {}
    for name, kind, column in zip(names[:-1], kinds, columns, strict=False):
        if kind == "number":
            expected[name] = np.array(column)
        else:
            for word in sorted(set(column)):
                expected[f"{name}={word}"] = np.array([value == word for value in column], float)
    expected = {name: values for name, values in expected.items() if np.ptp(values) > 0}
    assert read.features == tuple(expected)
    np.testing.assert_allclose(read.inputs, np.stack([*expected.values()], axis=1), rtol=1e-12)
    target = [read.classes[int(value)] for value in read.targets] if read.classes else read.targets
    assert [*target] == columns[-1]
