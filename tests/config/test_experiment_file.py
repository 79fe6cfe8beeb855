"""Experiment files: the question that each opens with."""

import re

from workplace import PROJECT

from fanin.config.experiment_file import question_of


def test_each_experiment_file_asks_a_question():
    for path in (PROJECT / "experiments").rglob("*.yaml"):
        assert re.fullmatch(r"[A-Z].*\?", question_of(path.read_text())), path
    assert question_of("# Question: why\n#   so?\n#\n# because\n") == "Why so?"
    assert question_of("depth: 50\n") == ""
