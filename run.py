"""The door: Hydra composes the configuration, the pipeline runs it. See `--help`."""

import hydra
from omegaconf import DictConfig

from fanin import config

config.register()


@hydra.main(version_base="1.3", config_path="conf", config_name="config")
def main(settings: DictConfig) -> object:
    from fanin.pipeline import run  # torch and mlflow, which --help does not wait for

    return run(settings)


if __name__ == "__main__":
    with config.one_line_errors():
        main()
