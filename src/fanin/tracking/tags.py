"""The tags that fanin gives to each run and reads back, and how long a tag may be."""

from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID, MLFLOW_RUN_NOTE

RECORD_ID = "record.id"
OUTPUT_DIR = "output_dir"
ERROR = "error"
PARENT = MLFLOW_PARENT_RUN_ID
NOTE = MLFLOW_RUN_NOTE
"""MLflow's UI shows this tag of a run or an experiment as a description, in markdown."""
MAX_TAG_LENGTH = 5000
"""The longest tag that every kind of store takes, in characters."""
