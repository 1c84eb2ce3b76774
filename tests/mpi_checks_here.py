"""What test_distributed.py does on its own side: the serial answers, files, and finding a rank among processes."""

from __future__ import annotations

import io
import json
import os
import time
from pathlib import Path

import numpy as np

from kantor.solvers.exact import highs_model, import_highspy


def answers():
    """The answers of one process; mpi_checks needs mpi4py to be imported, so only then."""
    import mpi_checks

    return mpi_checks.answers()


def write_mps(path):
    import mpi_checks

    highspy = import_highspy()
    solver = highspy.Highs()
    solver.setOptionValue("output_flag", False)
    solver.passModel(highs_model(highspy, mpi_checks.linear_program()))
    solver.writeModel(str(path))


# kantor that keeps a checkpoint at every check, so that a test sees when it iterates.
OFTEN = """
from kantor.cli import main
from kantor.solvers import checkpoint
checkpoint._SECONDS_BETWEEN = 0.0
main()
"""


def wait_for_rank(rank, marker, checkpoint, seconds):
    """The process id of a rank of the job whose command line has ``marker``, once it iterates: once ``checkpoint``,
    which it writes, is another file than now."""
    before, until = _written(checkpoint), time.monotonic() + seconds
    while time.monotonic() < until:
        if _written(checkpoint) != before:
            for entry in Path("/proc").iterdir():
                try:
                    line, given = (entry / "cmdline").read_bytes(), (entry / "environ").read_bytes()
                except OSError:
                    continue
                if marker.encode() in line and f"PMI_RANK={rank}".encode() in given.split(b"\0"):
                    return int(entry.name)
        time.sleep(0.05)
    raise AssertionError(f"rank {rank} of {os.fspath(marker)} did not come up")


def _written(path):
    return path.stat().st_ino if path.exists() else None


def iterations_of(checkpoint):
    with np.load(io.BytesIO(checkpoint), allow_pickle=False) as file:
        return json.loads(file["head"].tobytes())["scalars"]["total"]
