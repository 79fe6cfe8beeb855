"""Entry point. Hydra composes the configuration; the runner runs it. See `--help`."""

import os
import sys
from contextlib import nullcontext
from pathlib import Path

import hydra
from omegaconf import DictConfig

os.environ["FANIN_PROJECT"] = str(Path(__file__).resolve().parent)
from fanin.config.command_line import flags_first  # must come after FANIN_PROJECT is set
from fanin.config.exits import exit_on_user_error
from fanin.config.job_spec import job_spec
from fanin.config.resolvers import is_single_run
from fanin.config.schema import register

register()


@hydra.main(version_base="1.3", config_path="conf", config_name="config")
def main(config: DictConfig) -> None:
    with exit_on_user_error() if is_single_run() else nullcontext():
        spec = job_spec(config)
        # Imports torch and mlflow, so it comes after validation.
        from fanin.runner.run import run

        run(spec)


if __name__ == "__main__":
    with exit_on_user_error():
        sys.argv[1:] = flags_first(sys.argv[1:])
        main()
