"""Print pip constraints: the lowest version of each direct dependency that pyproject.toml allows.

But for torch: pip would fetch gigabytes of CUDA packages for its lowest version.
"""

import re
from pathlib import Path

import tomllib  # Python 3.11

project = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text())["project"]
extras = project["optional-dependencies"]
for requirement in [*project["dependencies"], *extras["slurm"], *extras["test"]]:
    found = re.match(r"([\w.-]+)(?:\[.*\])?>=([\d.]+)", requirement)
    if found and found[1] != "torch":
        print(f"{found[1]}=={found[2]}")
