"""Campaigns: tests that try what chance gives. `make test` does one round of each, `make test-faults` many."""

import os

ROUNDS = int(os.environ.get("GAPSCOPE_ROUNDS", "1"))
"""The first round is the same everywhere; every further one tries something else."""
