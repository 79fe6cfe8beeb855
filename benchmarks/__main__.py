"""Both tables: what one pass costs, and what one sweep costs.

python -m benchmarks                        under ten minutes on 2 cores
"""

from importlib import import_module
from importlib.util import find_spec

for name in ("one_pass", "one_sweep"):
    if find_spec(f"benchmarks.{name}"):
        import_module(f"benchmarks.{name}").main()
    else:
        print(f"\nbenchmarks/{name}.py is not there yet")
