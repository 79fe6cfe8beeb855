"""Imports everything a job needs: the server that forks workers runs this first."""

import gc

import fanin.runner.run  # noqa: F401

gc.freeze()  # so that a worker's collections skip these objects
