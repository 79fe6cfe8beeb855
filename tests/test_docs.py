"""The README and docs/: short, linked, up to date, and every command on them works."""

import importlib.util
import re
import shlex
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
import ready
from workplace import PROJECT, Workplace

from fanin.theory.comparison import METRICS

README = PROJECT / "README.md"
DOCS = sorted((PROJECT / "docs").glob("*.md"))
PAGES = [README, *DOCS]
LINKED = [*PAGES, *(PROJECT / name for name in ("CONTRIBUTING.md", "CHANGELOG.md"))]
LINK = re.compile(r"\]\((?!https?:)([^)#]*)(?:#([^)]*))?\)")

QUICK = ["timing.warmup=0", "timing.repeats=1"]
NOT_RUN = {
    "pip install": ".ci/run installs the project, and the extras are others' packages",
    "pytest": "this is pytest; tests/nn has a test for every option in conf/",
    "createdb": "it needs PostgreSQL; tests/tracking/test_postgresql.py has the whole set-up",
    "python -m benchmarks": "it takes ten minutes",
}
NOT_HERE = ("http://", "=submitit_", "=ray")
"""In a run.py command: a server, a cluster or a package that is not there. It is only composed."""


class Step(NamedTuple):
    """A part of a page: a command, a file to write (with its path), or Python code to run."""

    kind: str
    text: str
    path: str = ""


STEP = re.compile(
    r"(?:`(?P<path>[\w./]+)`:\n\n)?```(?P<language>\w+)\n(?P<code>.*?)```"
    r"|^ {4}(?P<command>(?:python|pip|mlflow|pytest|createdb|MLFLOW_)[^\n]*)",
    re.DOTALL | re.MULTILINE,
)


def steps(page: Path) -> Iterator[Step]:
    for found in STEP.finditer(page.read_text()):
        if found["command"]:
            typed = re.split(" {3,}", found["command"])[0]  # a description may follow
            yield from (Step("command", command) for command in typed.split(" && "))
        else:
            yield Step("file" if found["path"] else "code", found["code"], found["path"] or "")


class Reader:
    """Who follows a page from top to bottom, in a project and a folder of their own."""

    def __init__(self, folder: Path) -> None:
        self.workplace = Workplace.with_own_project(folder)
        rows = [f"{n % 7},{n % 3 - 1},{n % 2}" for n in range(50)]
        (self.workplace.folder / "my.csv").write_text("\n".join(rows))

    def follow(self, step: Step) -> str:
        """Do what a step says; what was printed."""
        text = self._with_ids(step.text)
        if step.kind == "file":
            (self.workplace.project / step.path).write_text(text)
            return ""
        if step.kind == "code":
            script = self.workplace.folder / "script.py"
            script.write_text(text)
            return self._run([sys.executable, str(script)])
        if any(text.startswith(start) for start in NOT_RUN):
            return ""
        words = [word.replace("\\`", "`") for word in shlex.split(text)]
        variables = dict(word.split("=", 1) for word in words if word.startswith("MLFLOW_"))
        program, *arguments = words[len(variables) :]
        if program == "mlflow":
            parse_mlflow(arguments)
            return ""
        if arguments[0] == "run.py":
            arguments = [str(self.workplace.project / "run.py"), *quick(arguments[1:], text)]
        return self._run([sys.executable, *arguments], variables)

    def _run(self, command: list[str], variables: dict[str, str] | None = None) -> str:
        environment = self.workplace.environment() | (variables or {})
        done = ready.run(command, self.workplace.folder, environment)
        assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
        return done.stdout

    def _with_ids(self, text: str) -> str:
        """The ids of runs in the place of those that the page cannot know."""
        if not re.search("(SWEEP|RUN)_ID", text):
            return text
        if not self.workplace.parents():
            self.follow(Step("command", "python run.py -m init=xavier,kaiming depth=10,50"))
        sweep, job = self.workplace.parents()[-1], self.workplace.children()[-1]
        return text.replace("SWEEP_ID", sweep.info.run_id).replace("RUN_ID", job.info.run_id)


def quick(arguments: list[str], text: str) -> list[str]:
    """The same with fewer seeds and passes; only composed where what it needs is not here."""
    short = [re.sub(r"range\(0,\d+\)", "range(0,2)", word) for word in arguments]
    short = [re.sub(r"^replicas=\d+$", "replicas=2", word) for word in short]
    short = [re.sub(r"^hidden_size=50,400$", "hidden_size=5,6", word) for word in short]
    if any(missing in text for missing in NOT_HERE):
        return [*(re.sub(r"=range\(.*", "=0", word) for word in short if word != "-m"), "--cfg=job"]
    return short if any(word.startswith("--") for word in short) else [*short, *QUICK]


def parse_mlflow(arguments: list[str]) -> None:
    """Raise where MLflow would refuse these arguments."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # MLflow's own, at import
        from mlflow.cli import cli  # noqa: PLC0415

    name, *options = arguments
    command = cli.get_command(None, name)
    assert command is not None, name
    command.make_context(name, options)


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_command_works_and_prints_what_the_page_shows(page, tmp_path):
    reader = Reader(tmp_path)
    printed = "".join(reader.follow(step) for step in dict.fromkeys(steps(page)))
    shown = {masked(line) for line in printed.splitlines()}
    assert [line for line in samples(page) if masked(line) not in shown] == []


def samples(page: Path) -> list[str]:
    """The indented lines of a page that are no commands: what a command printed."""
    text = STEP.sub("", page.read_text())
    return [line for line in text.splitlines() if line.startswith("    ") and line.strip()]


def masked(line: str) -> str:
    """A line of output without its numbers, its little curves and its spacing."""
    line = re.sub(r"-?\b\d[\d.,]*(e[-+]?\d+)?", "#", line)
    return " ".join(re.sub("[▁-█]+", "▇", line).split())


def test_commands_are_found_on_a_page():
    commands = [step.text for step in steps(README) if step.kind == "command"]
    assert "python run.py -m init=xavier,kaiming depth=10,50" in commands
    assert "python run.py experiment=chapter/fifty_layers" in commands
    assert [step.path for step in steps(PROJECT / "docs" / "extending.md") if step.path] == [
        "conf/init/half.yaml",
        "cube.py",
        "conf/activation/cube.yaml",
    ]


def test_the_readme_is_one_page():
    assert len(README.read_text().splitlines()) <= 150


def test_the_readme_has_the_two_set_up_commands_on_lines_of_their_own():
    lines = README.read_text().splitlines()
    assert "    pip install -e . && python run.py -m init=xavier,kaiming depth=10,50" in lines
    assert "    pip install -e '.[test]' && pytest" in lines


def test_the_readme_links_every_page():
    linked = {target for target, _ in LINK.findall(README.read_text())}
    assert {f"docs/{page.name}" for page in DOCS} <= linked


@pytest.mark.parametrize("page", LINKED, ids=lambda page: page.stem)
def test_every_link_leads_somewhere(page):
    for target, heading in LINK.findall(page.read_text()):
        path = (page.parent / target).resolve() if target else page
        assert path.exists(), target
        if heading:
            assert heading in headings(path), f"{target}#{heading}"


def headings(page: Path) -> set[str]:
    """As GitHub makes them addresses."""
    titles = re.findall(r"^#+ (.*)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", title).lower().replace(" ", "-") for title in titles}


def test_generated_pages_are_up_to_date():
    path = PROJECT / "docs" / "generate.py"
    spec = importlib.util.spec_from_file_location("generate_docs", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    stale = [path.name for path, text in module.pages().items() if path.read_text() != text]
    assert stale == [], "run: python docs/generate.py"


def test_every_metric_is_documented():
    text = (PROJECT / "docs" / "metrics.md").read_text()
    names = {name for name in METRICS if name.startswith("summary/")} | {
        re.sub("(_theory)?(_low|_high)?$", "", name)
        for name in METRICS
        if not name.startswith("summary/")
    }
    assert [name for name in sorted(names) if f"`{name}`" not in text] == []


@pytest.mark.slow
def test_every_tag_and_artifact_is_documented(workplace):
    workplace.run("experiment=chapter/fifty_layers", "depth=12", "jacobian=true", *QUICK)
    client = workplace.client()
    pages = "".join((PROJECT / "docs" / f"{n}.md").read_text() for n in ("metrics", "browsing"))
    names = set()
    for run in workplace.runs("chapter/fifty_layers"):
        names |= {*run.data.tags} | {file.path for file in client.list_artifacts(run.info.run_id)}
    undocumented = [name for name in sorted(names) if f"`{name}`" not in pages]
    assert undocumented == ["mlflow.runName"]  # which MLflow shows as the name
