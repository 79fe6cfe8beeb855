"""Many runs at once into one store: no error, no loss, the same numbers as one after the other."""

import yaml
from workplace import Workplace

JOBS = 12
LINE = ["-m", f"seed=range(0,{JOBS})", "depth=3", "hidden_size=8", "timing.repeats=1"]
WORKERS = ["hydra/launcher=workers", "hydra.launcher.n_jobs=4"]
NUMBERS = ("summary/loss", "activation/std", "gradient/preactivation_norm")


def numbers(workplace) -> dict[str, list[float]]:
    return {
        run.data.params["seed"]: [run.data.metrics[name] for name in NUMBERS]
        for run in workplace.children()
    }


def without_places(config):
    """What Hydra keeps of a job, without what tells one sweep from another."""
    if isinstance(config, list):
        return [text for text in config if not text.startswith("tracking.parent=")]
    return config | {"tracking": config["tracking"] | {"parent": None}}


def test_four_workers_find_what_one_finds(tmp_path):
    alone, together = (Workplace(tmp_path / name) for name in ("alone", "together"))
    for workplace in (alone, together):
        workplace.folder.mkdir()
    alone.run(*LINE)
    done = together.run(*LINE, *WORKERS)
    assert f"{JOBS}/{JOBS}" in done.stderr
    assert [run.info.status for run in together.runs()] == ["FINISHED"] * (1 + JOBS)
    assert len(numbers(together)) == JOBS
    assert numbers(together) == numbers(alone)
    for number in range(JOBS):
        folders = [workplace.folder / "sweep" / str(number) for workplace in (alone, together)]
        assert [sorted(path.name for path in folder.iterdir()) for folder in folders] == [
            [".hydra", "config.yaml", "profile.csv", "record.json", "run.log"]
        ] * 2
        for name in ("config", "overrides"):
            before, after = (
                yaml.safe_load((folder / ".hydra" / f"{name}.yaml").read_text())
                for folder in folders
            )
            assert without_places(after) == without_places(before)


def test_two_sweeps_at_once_on_a_store_that_is_not_there_yet(tmp_path):
    workplace = Workplace(tmp_path, migrates=True)
    sweeps = [
        workplace.start(
            "-m", f"seed=range({n},{n + 4})", "depth=1", f"hydra.sweep.dir={tmp_path}/{n}"
        )
        for n in (0, 4)
    ]
    for sweep in sweeps:
        output, errors = sweep.communicate(timeout=120)
        assert sweep.returncode == 0, output + errors
        assert "wait" not in output
    first, second = workplace.parents()
    seeds = {
        parent.info.run_id: {
            run.data.params["seed"]
            for run in workplace.children()
            if run.data.tags["mlflow.parentRunId"] == parent.info.run_id
        }
        for parent in (first, second)
    }
    assert sorted(map(sorted, seeds.values())) == [["0", "1", "2", "3"], ["4", "5", "6", "7"]]
    assert {run.info.status for run in workplace.runs()} == {"FINISHED"}
