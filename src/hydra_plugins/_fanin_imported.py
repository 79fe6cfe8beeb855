"""All that a job imports, imported: the server that forks workers begins with this."""

import gc

import fanin.runner.run  # noqa: F401

gc.freeze()  # or each collection of a worker goes through all of it
