"""Both tables: what one pass costs, and what one sweep costs.

python -m benchmarks                        under ten minutes on 2 cores
"""

import subprocess
import sys

for table in ("one_pass", "one_sweep"):  # each in a process that has the other's memory not
    subprocess.run([sys.executable, "-m", f"benchmarks.{table}"], check=True)
