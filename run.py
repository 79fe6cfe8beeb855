"""The door: Hydra composes the configuration, the pipeline runs it. See `--help`."""

import os
import sys
from contextlib import nullcontext
from pathlib import Path

import hydra
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

os.environ["FANIN_PROJECT"] = str(Path(__file__).resolve().parent)
from fanin.config import schema as config  # which reads where the project is

config.register()


@hydra.main(version_base="1.3", config_path="conf", config_name="config")
def main(settings: DictConfig) -> None:
    with config.exit_on_user_error() if config.is_single_run() else nullcontext():
        config.check(settings)
        if config.is_single_run():
            config.reject_sweep_options(settings)
        config.chosen(HydraConfig.get())
        from fanin.runner.run import run  # torch and mlflow, which no wrong value waits for

        run(settings)


if __name__ == "__main__":
    with config.exit_on_user_error():
        sys.argv[1:] = config.arguments(sys.argv[1:])
        main()
