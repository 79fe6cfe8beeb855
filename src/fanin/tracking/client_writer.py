"""Writes runs through MLflow's client, which works with every store."""

from dataclasses import dataclass

from mlflow import MlflowClient
from mlflow.entities import Dataset, DatasetInput, Metric, Param, RunTag

from fanin.tracking.param_texts import format_params
from fanin.tracking.run_record import RunRecord
from fanin.tracking.writer import initial_tags, list_files, shorten_name


@dataclass(frozen=True)
class ClientWriter:
    """Writes the runs of one experiment; see the protocol `Writer`."""

    client: MlflowClient
    experiment_id: str

    def create_run(self, record: RunRecord) -> str:
        """Start a run, then add its params, so that a run that fails early has them."""
        run = self.client.create_run(
            self.experiment_id,
            start_time=record.started,
            tags=initial_tags(record),
            run_name=shorten_name(record),
        )
        run_id: str = run.info.run_id
        self.log_params(run_id, record)
        return run_id

    def log_params(self, run_id: str, record: RunRecord) -> None:
        """Add the params that the run does not have yet."""
        texts = format_params(record.params)
        self.client.log_batch(run_id, params=[Param(*item) for item in texts.items()])

    def complete_run(self, run_id: str, record: RunRecord) -> None:
        """Add tags and metrics, then the data set, then files, then end the run.

        The client splits calls that exceed its limits. The store keeps equal values with equal
        timestamps once.
        """
        timestamp = record.ended or record.started
        self.client.log_batch(
            run_id,
            metrics=[Metric(name, value, timestamp, step) for name, step, value in record.metrics],
            tags=[RunTag(name, value) for name, value in record.tags.items()],
        )
        if record.dataset:
            dataset = DatasetInput(Dataset(**vars(record.dataset)), tags=[])
            self.client.log_inputs(run_id, [dataset])
        for path in list_files(record):
            self.client.log_artifact(run_id, path)
        self.client.set_terminated(run_id, record.status.value, end_time=record.ended)
