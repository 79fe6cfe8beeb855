"""sweep.plan=true and sweep.save_as: show a sweep or save it as a file, without running it."""

import math
import re
from collections import Counter

from fanin.config.errors import SettingError
from fanin.config.experiment_file import experiment_path
from fanin.config.resolvers import cores
from fanin.report.sweep_tables import PlannedJob, print_plan
from fanin.report.terminal import format_duration, make_console, print_data
from fanin.runner.jobs import Job, jobs_to_run
from fanin.runner.storage import open_existing_store
from fanin.runner.sweep_plan import SweepPlan

HEADER = """\
# Question: what comes of {line}?
#
#     python run.py experiment={name}
#
# Expect: to be filled in, with claims below where it can be stated in numbers.
# Cost: {jobs} runs.

"""


def show_preview(plan: SweepPlan) -> None:
    """Print which jobs would run, which are done already, and what the rest costs."""
    console = make_console()
    store = open_existing_store(plan.spec.tracking, plan.experiment)
    if store:
        plan.match_latest(store)
    print_data([*plan.data_lines], console)
    print_plan([_row(job) for job in plan.jobs], plan.varying, console)
    counts = Counter(job.plan for job in plan.jobs)
    console.print(f"\n{', '.join(f'{count} {state}' for state, count in counts.items())}")
    todo = jobs_to_run(plan.jobs)
    estimates = [job.estimate for job in todo if job.estimate]
    if estimates:
        seconds = format_duration(sum(one.seconds for one in estimates))
        memory = max(one.memory for one in estimates) / 2**20
        console.print(
            f"about {seconds} if run one after another at the machine's current load, "
            f"and at most {memory:,.0f} MiB at a time"
        )
        if plan.spec.launcher == "basic" and len(todo) > 1 and cores() > 1:
            console.print(f"hydra/launcher=workers would run {cores()} at a time")


def _row(job: Job) -> PlannedJob:
    estimate = job.estimate
    forecast = estimate.forecast if estimate else None
    return PlannedJob(
        job.number,
        job.params,
        estimate.seconds if estimate else 0,
        estimate.memory if estimate else 0,
        job.plan,
        forecast.label if forecast else "",
        forecast.std if forecast else math.nan,
    )


def save_sweep(plan: SweepPlan, name: str) -> None:
    """Save the sweep as experiments/NAME.yaml. Raises SettingError."""
    setting = f"sweep.save_as={name}"
    if not re.fullmatch(r"[\w-]+(/[\w-]+)*", name):
        raise SettingError(f"{setting}: use letters, digits, - and _, and / for folders")
    content = plan.as_file()
    if content is None:
        raise SettingError(
            f"{setting}: an experiment file cannot delete settings (~); set values instead"
        )
    path = experiment_path(name)
    jobs = sum(not job.is_excluded for job in plan.jobs)
    text = HEADER.format(name=name, line=plan.name, jobs=jobs) + content
    if path.exists() and path.read_text() != text:
        raise SettingError(f"{setting}: {path} exists already; use another name")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    console = make_console()
    console.print(f"wrote {path}; repeat this sweep with\n")
    console.print(f"    python run.py experiment={name}\n")
