"""Plans killed at random go on from whole checkpoints and end with the same bits: benchmarks/scaling/kills.py, which
asserts it run by run. $KANTOR_KILLS runs, 4 if not said: one of each kind."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from test_distributed import mpiexec  # noqa: F401 - a fixture

pytestmark = [pytest.mark.mpi, pytest.mark.slow]

SCRIPT = Path(__file__).parents[1] / "benchmarks" / "scaling" / "kills.py"


def test_killed_plans_end_as_if_nothing_had_happened(mpiexec, tmp_path):  # noqa: F811
    if not Path("/proc/self").exists():
        pytest.skip("ranks are found through /proc, which this system does not have")
    runs, record = int(os.environ.get("KANTOR_KILLS", "4")), tmp_path / "record.json"
    command = [sys.executable, SCRIPT, "--runs", f"{runs}", "-o", record]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240 * runs)
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(record.read_text())
    assert len(found["lines"]) == runs
    assert found["kills"] >= runs
