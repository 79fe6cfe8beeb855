"""The MLflow experiment: what is set, MLflow's own variable, the experiment file, or fanin."""

import pytest
from workplace import Workplace

SMALL = ["depth=1", "hidden_size=4", "batch_size=3", "data.features=4", "timing.repeats=1"]


@pytest.mark.parametrize(
    ("variable", "line", "name"),
    [
        (None, [], "fanin"),
        ("mine", [], "mine"),
        ("mine", ["tracking.experiment=other"], "other"),
        ("mine", ["-m", "seed=0,1"], "mine"),
        ("mine", ["experiment=chapter/two_layers", "init=xavier"], "mine"),
        ("", ["experiment=chapter/two_layers", "init=xavier"], "chapter/two_layers"),
    ],
)
def test_mlflows_variable_is_honoured(tmp_path, monkeypatch, variable, line, name):
    if variable is not None:
        monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", variable)
    workplace = Workplace(tmp_path)
    workplace.run(*line, *SMALL)
    assert workplace.runs(name)
