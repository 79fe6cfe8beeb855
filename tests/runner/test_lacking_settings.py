"""A sweep over options of which only some have a setting that is swept too."""

import pytest
from workplace import Workplace

SMALL = ["depth=1", "hidden_size=4", "batch_size=3", "data.features=4"]
LINE = ["-m", "init=normal,kaiming", "init.scale=2,3", *SMALL]


def test_the_options_that_lack_it_are_named_with_lines_that_work(workplace):
    done = workplace.run(*LINE, status=1)
    assert done.stderr == (
        "fanin: init.scale: init=normal has no such setting; leave it out with "
        "'sweep.exclude=[{init: normal}]', or write two lines: "
        "-m init=kaiming init.scale=2,3, and init=normal\n"
    )
    assert not (workplace.folder / "mlflow.db").exists()


def test_so_are_several(workplace):
    done = workplace.run("-m", "init=normal,kaiming,small", "init.scale=2", *SMALL, status=1)
    assert "init=normal, init=small have no such setting; leave them out" in done.stderr
    assert "[{init: normal}, {init: small}]" in done.stderr
    assert "-m init=kaiming init.scale=2, and -m init=normal,small" in done.stderr


def test_where_none_has_it_the_answer_is_hydras(workplace):
    done = workplace.run("-m", "init=normal,small", "init.scale=2,3", *SMALL, status=1)
    assert "init.scale: no such setting; init=glorot has one" in done.stderr


@pytest.mark.parametrize("plan", [[], ["sweep.plan=true"]])
def test_the_exclusion_that_it_names_works(workplace, plan):
    done = workplace.run(*LINE, "sweep.exclude=[{init: normal}]", *plan)
    if plan:
        assert "2 left out" in done.stdout
        return
    assert [run.data.params["init.scale"] for run in workplace.children()] == ["2.0", "3.0"]
    table = (workplace.folder / "sweep" / "jobs.csv").read_text()
    assert table.count("left out") == 2


def test_the_lines_that_it_names_work(tmp_path):
    for line in ("-m init=kaiming init.scale=2,3", "init=normal"):
        Workplace(tmp_path).run(*line.split(), *SMALL)
