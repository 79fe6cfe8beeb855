"""Fixtures of every room, and how the tests are run: how many processes, which tests are slow.

torch, MLflow and fanin are imported where tests run, not where they are only distributed.
"""

import os
import shutil
import tempfile
from pathlib import Path
from types import CodeType, FunctionType

import pytest
from xdist.scheduler import LoadScopeScheduling

# Tests run in parallel, layers are small, and torch's threads wait for each other by spinning.
os.environ["OMP_NUM_THREADS"] = "1"  # torch reads it when it is imported

FIRST = (
    "tests/test_docs",
    "tests/runner/",
    "tests/plugins/",
    "tests/tracking/",
    "tests/theory/test_oracles",
    "tests/report/test_interactive_page",
)
"""Longest tests first, so that no process has one left at the end."""
SPREAD = ("tests/test_docs", "tests/runner/", "tests/plugins/")
"""Their tests are distributed one by one, all others a module at a time, for its fixtures."""
KEPT_TOGETHER = ("tests/runner/test_main_job.py", "tests/runner/test_compare.py")
STARTS_PROCESSES = {"Workplace", "Server", "chromium", "subprocess", "ready"}
"""Names in the code of a test, or of what it calls, that make it slow."""


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "slow: starts processes, or takes more than a second")
    if not hasattr(config, "workerinput"):
        os.environ["FANIN_TEST_TEMPLATE"] = tempfile.mkdtemp(prefix="fanin-template-")


def pytest_unconfigure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):
        shutil.rmtree(os.environ.pop("FANIN_TEST_TEMPLATE"), ignore_errors=True)


@pytest.hookimpl(tryfirst=True)
def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """One process more than cores, since many tests wait.

    None for tests that are named one by one: to start processes would take longer.
    """
    if all("::" in name for name in config.args):
        return 0
    return (os.cpu_count() or 1) + 1


def pytest_xdist_make_scheduler(config: pytest.Config, log) -> LoadScopeScheduling:
    config.option.loadscopereorder = False  # but as pytest_collection_modifyitems orders them
    return _Scheduler(config, log)


class _Scheduler(LoadScopeScheduling):
    def _split_scope(self, nodeid: str) -> str:
        is_spread = nodeid.startswith(SPREAD) and not nodeid.startswith(KEPT_TOGETHER)
        return nodeid if is_spread else nodeid.partition("::")[0]


@pytest.hookimpl(tryfirst=True)  # before -m selects
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if _starts_processes(item):
            item.add_marker("slow")

    def rank(item: pytest.Item) -> tuple[int, bool]:
        place = next((n for n, start in enumerate(FIRST) if item.nodeid.startswith(start)), 99)
        return place, item.get_closest_marker("slow") is None

    items.sort(key=rank)


def _starts_processes(item: pytest.Item) -> bool:
    """Whether it, a fixture of its own or a function of its module names what starts processes."""
    fixtures = item._fixtureinfo.name2fixturedefs.values()
    functions = [item.function, *(fixture.func for found in fixtures for fixture in found)]
    waiting, seen = [function.__code__ for function in functions], set()
    while waiting:
        code = waiting.pop()
        if code in seen:
            continue
        seen.add(code)
        if STARTS_PROCESSES & set(code.co_names):
            return True
        waiting += [part for part in code.co_consts if isinstance(part, CodeType)]
        called = (getattr(item.module, name, None) for name in code.co_names)
        waiting += [
            one.__code__
            for one in called
            if isinstance(one, FunctionType) and one.__module__ == item.module.__name__
        ]
    return False


@pytest.fixture(scope="session", autouse=True)
def quick_stores() -> None:
    from store_template import copy_instead_of_migrating

    copy_instead_of_migrating()


@pytest.fixture(autouse=True)
def seeded() -> None:
    """A test that draws numbers draws the same ones each time."""
    import torch

    torch.manual_seed(0)


@pytest.fixture
def workplace(tmp_path: Path):
    """A folder with a store of its own, in which run.py is run as a user runs it."""
    from workplace import Workplace

    return Workplace(tmp_path)


@pytest.fixture(scope="session")
def build():
    """Build the chapter's network: 200 inputs of 100 values, width 100, one output, MSE."""
    import torch

    from fanin.nn.losses import MSE
    from fanin.nn.network import Network
    from fanin.nn.parameters import draw
    from fanin.runner.data import Gaussian

    def build(
        init,
        activation,
        *,
        depth,
        width=100,
        seeds=(0,),
        batch=200,
        inputs=None,
        targets=None,
        loss=None,
        dtype=torch.float32,
        device="cpu",
    ):
        x, y, _ = Gaussian(features=100).load(batch)
        x = (x if inputs is None else inputs).to(device, dtype)
        loss = loss or MSE()
        y = loss.prepare(y[: len(x)] if targets is None else targets, dtype).to(device)
        parameters = draw(
            init,
            seeds,
            depth=depth,
            inputs=x.shape[1],
            width=width,
            outputs=loss.outputs(y),
            dtype=dtype,
            device=device,
        )
        return Network(parameters, activation, loss, x, y)

    return build


@pytest.fixture(scope="session")
def profile():
    """Measure a network after one pass."""
    from fanin.measure.profile import measure
    from fanin.measure.timing import time_passes

    return lambda network: measure(network, time_passes(network, warmup=0, repeats=1))
