"""`python -m fanin advise`, as a user runs it."""

from workplace import Workplace, options

VERDICTS = tuple(
    word + mark for word in ("healthy", "vanishing", "exploding", "saturated") for mark in ("", "?")
)


def test_the_command_ranks_and_names_the_line_to_run(tmp_path):
    place = Workplace(tmp_path)
    output = place.fanin("advise", "activation=tanh", "depth=200", "hidden_size=64").stdout
    rows = [line.split()[0] for line in output.splitlines() if line.rstrip().endswith(VERDICTS)]
    assert sorted(rows) == options("init")
    assert rows[0] == "orthogonal"
    assert "python run.py activation=tanh depth=200 hidden_size=64 init=orthogonal" in output
    wrong = place.fanin("advise", "depth=0", status=1)
    assert wrong.stderr == "fanin: depth=0: has no hidden layer to advise on; use 1 or more\n"
    assert not list(tmp_path.glob("*.db"))
