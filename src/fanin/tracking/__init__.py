"""Runs in MLflow stores. The only package here that imports mlflow.

MLflow reads its environment variables when it is imported, so they are set here, before any module
of this package imports it. They switch off telemetry, retries (a run that a store does not take at
once waits in the journal) and printed links (an address may hold a password).
"""

import logging
import os

os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
os.environ.setdefault("MLFLOW_LOGGING_LEVEL", "WARNING")  # INFO announces each new database
os.environ["MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT"] = "true"

logging.getLogger("mlflow.utils.databricks_utils").setLevel(logging.ERROR)
logging.getLogger("alembic").setLevel(logging.WARNING)
logging.getLogger("urllib3").setLevel(logging.ERROR)  # we report a silent server ourselves
