"""Both tables: what one pass costs, and what one sweep costs.

python -m benchmarks                        under ten minutes on 2 cores
"""

from benchmarks import one_pass, one_sweep

one_pass.main()
one_sweep.main()
