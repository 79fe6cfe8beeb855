"""One run: prepare the ingredients, compute the network, track the result.

Every mistake in the settings makes `prepare` fail, before a run is opened.
"""

from fanin.config.command_line import repeat_command
from fanin.config.complete import build
from fanin.config.job_spec import JobSpec
from fanin.measure.result import RunResult
from fanin.measure.verdict import explanation, verdict
from fanin.nn.device import device_name
from fanin.nn.init import Init
from fanin.report.description import describe_run
from fanin.report.line import Line
from fanin.report.progress import show_status
from fanin.report.results_table import (
    MAIN_SETTINGS,
    print_explanations,
    print_jacobian,
    print_results,
)
from fanin.report.terminal import make_console, print_data
from fanin.runner import cost, sweep_dir
from fanin.runner.catalogue import catalogue, conflicting_settings, describe_network
from fanin.runner.compute import Computed, Ingredients, compute
from fanin.runner.data_facts import DataFacts
from fanin.runner.ingredients import prepare
from fanin.runner.new_run import experiment_name, new_record
from fanin.runner.preflight import check_disk
from fanin.runner.results import write_result
from fanin.runner.storage import (
    JOURNAL,
    announce,
    connect_as,
    flush_pending,
    open_run_store,
    store_errors_as_settings,
)
from fanin.theory.advice import suggest
from fanin.tracking.dataset import make_dataset
from fanin.tracking.passwords import mask_passwords
from fanin.tracking.run_record import RunRecord
from fanin.tracking.tags import MAX_TAG_LENGTH, NOTE


def run(spec: JobSpec) -> None:
    """Run a single run, which also prints its result, or a sweep's job, which prints nothing."""
    if spec.sweep_folder is None:
        _run_single(spec)
    else:
        _run_job(spec)


def _run_single(spec: JobSpec) -> None:
    tracking = spec.settings.tracking
    experiment = experiment_name(tracking, spec.choices)
    needed = cost.disk(spec.settings.depth)
    check_disk(f"hydra.run.dir={spec.folder}", spec.folder, needed)
    with show_status("building, running, measuring ..."):
        ingredients = prepare(spec.settings, spec.choices)
        store = open_run_store(tracking, experiment, spec.settings.depth)
        flush_pending(tracking)
        record = new_record(spec)
        with (
            store_errors_as_settings(tracking),
            JOURNAL.run(record, lambda _: store, must_open=True),
        ):
            result = _compute_and_record(spec, ingredients, record)
            record.tags[NOTE] = describe_run(result, _command(spec))
    console = make_console()
    line = Line({}, [result])
    print_data(ingredients.data.lines, console)
    print_results([line], [*MAIN_SETTINGS, "hidden_size"], console)
    print_explanations([(record.name, line)], console)
    print_jacobian(result.profile, console)
    announce(record.name, experiment, tracking, console)


def _run_job(spec: JobSpec) -> None:
    """Run a sweep's job. The sweep learns the outcome from its record."""
    assert spec.sweep_folder is not None
    if sweep_dir.is_superseded(spec.sweep_folder):
        return
    try:
        record = new_record(spec)
        with JOURNAL.run(record, connect_as(spec.settings.tracking)) as run_id:
            try:
                ingredients = prepare(spec.settings, spec.choices)
                result = _compute_and_record(spec, ingredients, record)
                command = _command(spec)
                if spec.choices["experiment"]:  # the file is the whole sweep, not this job
                    command = f"python run.py -m from_run={run_id}" if run_id else ""
                record.tags[NOTE] = describe_run(result, command)
            except SystemExit as error:  # raised by a user-defined class
                raise RuntimeError(f"exit({error.code}) was called") from error
    finally:
        job = spec.settings.tracking.job
        if job is not None:  # under another sweeper jobs have no number
            sweep_dir.mark_finished(spec.sweep_folder, job, str(spec.folder))


def _command(spec: JobSpec) -> str:
    """The shell command that repeats the run, with passwords masked."""
    return mask_passwords(repeat_command(spec.overrides))


def _compute_and_record(spec: JobSpec, ingredients: Ingredients, record: RunRecord) -> RunResult:
    """Run the network and put the result into the record."""
    record.tags["device.name"] = device_name(ingredients.device)
    _record_data(record, ingredients.data)
    computed = compute(spec.settings, ingredients)
    profile = computed.profile
    if computed.theory_error:
        record.tags["theory.error"] = computed.theory_error
    if computed.prediction and computed.prediction.point:
        record.tags["phase"] = computed.prediction.point.phase
    word = verdict(profile)
    advice = None
    if spec.settings.depth and word != "healthy":
        advice = _advice(spec, ingredients, computed, record)
    result = RunResult(record.params, profile, word, explanation(profile), advice)
    write_result(record, spec, result, computed.jacobian)
    return result


def _record_data(record: RunRecord, data: DataFacts) -> None:
    """Put the data set and its description into the record."""
    tags = {
        "data.summary": data.summary,
        "data.classes": ", ".join(data.classes),
        "data.warning": data.warning,
    }
    record.tags |= {name: text[:MAX_TAG_LENGTH] for name, text in tags.items() if text}
    record.dataset = make_dataset(data.name, data.digest, data.source, data.columns, data.shape)


def _advice(
    spec: JobSpec, ingredients: Ingredients, computed: Computed, record: RunRecord
) -> str | None:
    """What to try instead; None if theory could not be computed."""
    if computed.prediction is None:
        return None
    settings = spec.settings
    network = describe_network(settings, ingredients, spec.choices)
    try:
        configured = build("init", settings.init, Init)  # type: ignore[type-abstract]
        suggestion = suggest(ingredients.init, network, catalogue(), configured)
    except Exception as error:  # raised by a user-defined init or activation
        record.tags["theory.error"] = f"{type(error).__name__}: {error}"
        return None
    names = conflicting_settings(settings, spec.choices)
    change = f". Remove {' and '.join(names)} if you change init" if names else ""
    return suggestion.text + change
