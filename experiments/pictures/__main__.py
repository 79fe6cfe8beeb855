"""Redraw the pictures of the README and docs/ from real sweeps: `python experiments/pictures`.

It needs what the tests need, and Chromium, and takes two minutes.
"""

import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

from playwright.sync_api import Page, sync_playwright

HERE = Path(__file__).resolve().parent
RUN = HERE.parents[1] / "run.py"
MAIN_JOB = ("init=xavier,kaiming", "depth=10,50")
SEEDS = ("init=xavier,kaiming,orthogonal", "activation=relu,tanh", "depth=50", "replicas=32")
PLANE = (
    "activation=tanh",
    "depth=50",
    "init.scale=0.4,0.6,0.8,1,1.2,1.5,2,3,4,6",
    "init.bias_std=0,0.05,0.1,0.2,0.3,0.5,0.8",
)
LINK = r"^    {} +http://127.0.0.1:5000/(\S+)$"
SIZE = {"width": 1400, "height": 880}
DESCRIPTION = {"width": 900, "height": 880}


def main() -> None:
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        printed = {name: sweep(folder / name, line) for name, line in SWEEPS.items()}
        keep(folder / "main_job" / "comparison.png", "main_job.png")
        keep(folder / "plane" / "heatmap.png", "plane.png")
        with ui(folder) as address, browser() as page:
            parent, curves = (
                re.search(LINK.format(what), printed["main_job"], re.MULTILINE)[1]
                for what in ("the sweep", "std of every layer")
            )
            page.goto(f"{address}/{parent}")
            page.get_by_role("button", name="Close").click()  # the assistant
            page.get_by_text("Show more").click()
            page.wait_for_function("[...document.images].some(i => i.src.includes('comparison'))")
            shoot(page, "sweep.png", DESCRIPTION)
            page.goto(f"{address}/{curves}")
            page.wait_for_selector(".js-plotly-plot .scatterlayer .trace")
            shoot(page, "curves.png")
            page.goto((folder / "seeds" / "comparison.html").as_uri())
            page.wait_for_selector(".scatterlayer .trace", state="attached")
            shoot(page, "page.png")


SWEEPS = {"main_job": MAIN_JOB, "seeds": SEEDS, "plane": PLANE}


def sweep(folder: Path, line: tuple[str, ...]) -> str:
    """Run it into a store beside its folder; what it printed."""
    store = f"tracking.uri=sqlite:///{folder.parent}/mlflow.db"
    command = [sys.executable, str(RUN), "-m", *line, store, f"hydra.sweep.dir={folder}"]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def keep(picture: Path, name: str) -> None:
    shutil.copy(picture, HERE / name)


def shoot(page: Page, name: str, size: dict[str, int] = SIZE) -> None:
    page.wait_for_timeout(1500)  # what moves comes to rest
    page.screenshot(path=HERE / name, clip={"x": 0, "y": 0, **size})


@contextmanager
def ui(folder: Path) -> Iterator[str]:
    """The address of MLflow's UI on the store in a folder."""
    with closing(socket.socket()) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    store = ["--backend-store-uri", f"sqlite:///{folder}/mlflow.db", "--port", str(port)]
    with (folder / "ui.log").open("w") as log:
        command = [sys.executable, "-m", "mlflow", "ui", "--workers", "1", *store]
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        while not answers(address := f"http://127.0.0.1:{port}"):
            if process.poll() is not None:
                sys.exit((folder / "ui.log").read_text())
            time.sleep(0.5)
        yield address
    finally:
        process.terminate()
        process.wait()


def answers(address: str) -> bool:
    try:
        with urlopen(f"{address}/health") as answer:
            return answer.status == 200
    except URLError:
        return False


@contextmanager
def browser() -> Iterator[Page]:
    with sync_playwright() as playwright:
        chromium = shutil.which("chromium") or shutil.which("google-chrome")
        opened = playwright.chromium.launch(executable_path=chromium, chromium_sandbox=False)
        yield opened.new_page(viewport=SIZE)
        opened.close()


if __name__ == "__main__":
    main()
