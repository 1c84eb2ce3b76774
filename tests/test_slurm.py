"""A real Slurm on this machine runs the shipped job scripts: a plan on four ranks, preempted, requeued, resumed; a
sweep; a scaling run. Skipped where Slurm is not there and cannot be installed.

The plan's first run holds at a check until a signal comes, so that the preemption meets it iterating on any machine."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mpi_checks_here import iterations_of
from test_distributed import environment

pytestmark = [pytest.mark.mpi, pytest.mark.slow]

CLUSTER = Path(__file__).parents[1] / "cluster"
SECONDS = 500  # for each step; all of it takes under a minute on a free machine
SCENARIO = """
[economy]
source = "us_2012"
expand_to = 3000
[objective]
kind = "harmony"
[limits.labour]
at_most = "-5%"
[solve]
tolerance = 1e-9
method = "pdhg"
"""


@pytest.fixture(scope="module")
def slurm(tmp_path_factory):
    """Calls a command with Slurm's environment, in a folder of its own."""
    pytest.importorskip("mpi4py", reason="mpi4py is not installed: pip install 'kantor[mpi]'")
    if os.environ.get("KANTOR_SLURM_TEST", "1") == "0":
        pytest.skip("KANTOR_SLURM_TEST=0")
    if os.geteuid() != 0:
        pytest.skip("starting Slurm's daemons needs root")
    if shutil.which("slurmctld") is None and shutil.which("apt-get") is None:
        pytest.skip("Slurm is not installed and there is no apt-get to install it with")
    folder = tmp_path_factory.mktemp("slurm")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = {"KANTOR_SLURM_PORT": str(free.getsockname()[1])}
    start = [CLUSTER / "local_slurm.sh", "start", folder]
    started = subprocess.run(start, capture_output=True, text=True, timeout=400, env=os.environ | port)
    if started.returncode == 77:
        pytest.skip(started.stderr.strip())
    try:
        assert started.returncode == 0, started.stderr
        where = folder / "work"
        where.mkdir()
        extra = {"SLURM_CONF": str(folder / "slurm.conf"), "KANTOR_SITE": str(CLUSTER / "env.sh")}
        env = environment() | extra | {"KANTOR_BIN": str(Path(sys.executable).parent)}

        def call(*command):
            done = subprocess.run(
                [str(part) for part in command], capture_output=True, text=True, timeout=SECONDS, env=env, cwd=where
            )
            assert done.returncode == 0, f"{command}: {done.stderr}"
            return done.stdout.strip()

        call.folder, call.env = where, env
        yield call
    finally:
        subprocess.run([CLUSTER / "local_slurm.sh", "stop", folder], check=False, timeout=60)


def wait(slurm, until, what):
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        if until():
            return
        time.sleep(0.25)
    logs = "\n".join(path.read_text() for path in slurm.folder.glob("*.log"))
    raise AssertionError(f"{what} did not happen in {SECONDS} s; {slurm('squeue')}\n{logs}")


# The command of the first run: at its first check after iterations it writes its state and waits for a signal, as a
# solve of hours would be met by one. now() raises on all ranks once one of them was asked to stop.
HOLDS = """#!{python}
import time
from kantor.backends.world import now
from kantor.cli import main
from kantor.solvers.checkpoint import Checkpoint
keep = Checkpoint.keep
def hold(self, scalars, arrays):
    keep(self, scalars, arrays)
    while scalars["total"] > 0:
        self.write()
        now()
        time.sleep(0.05)
Checkpoint.keep = hold
main()
"""
SITE = """
source {shipped}
if [ "$SLURM_JOB_NAME" = kantor-plan ] && [ "${{SLURM_RESTART_COUNT:-0}}" -eq 0 ]; then export PATH="{bin}:$PATH"; fi
"""


@pytest.fixture
def held_at_first(slurm, monkeypatch):
    """The first run of a plan holds at a check until it is told to stop."""
    command, site = slurm.folder / "bin" / "kantor", slurm.folder / "env.sh"
    command.parent.mkdir()
    command.write_text(HOLDS.format(python=sys.executable))
    command.chmod(0o755)
    site.write_text(SITE.format(shipped=CLUSTER / "env.sh", bin=command.parent))
    monkeypatch.setitem(slurm.env, "KANTOR_SITE", str(site))


def reached(state):
    """Iterations of the checkpoints on disk."""
    return max((iterations_of(path.read_bytes()) for path in state.rglob("checkpoint.npz")), default=0)


def test_shipped_scripts_run_and_a_preempted_plan_goes_on(slurm, held_at_first):
    here = slurm.folder
    (here / "s.toml").write_text(SCENARIO)
    plan = slurm("sbatch", "--parsable", CLUSTER / "plan.sbatch", "s.toml", "plan")
    state = here / "checkpoints" / plan
    wait(slurm, lambda: reached(state) > 0, "the first-order solve")
    urgent = slurm("sbatch", "--parsable", "--partition=high", "--ntasks=8", "--output=high.log", "--wrap", "echo ran")
    wait(slurm, lambda: (here / "high.log").exists() and "ran" in (here / "high.log").read_text(), "the urgent job")
    log = here / f"kantor-plan-{plan}.log"
    assert "goes back into the queue" in log.read_text()
    stopped = here / "plan" / "plan.json"  # the best plan so far, where there was one
    assert not stopped.exists() or json.loads(stopped.read_text())["status"] == "interrupted"
    assert reached(state) > 0
    wait(slurm, lambda: not slurm("squeue", "-h", "-j", urgent), "the end of the urgent job")
    time.sleep(5)  # slurmd takes a start in the same second for one of before the requeue, and refuses it
    slurm("scontrol", "update", f"jobid={plan}", "StartTime=now")  # a requeued job waits two minutes by itself
    # Meanwhile the other scripts, on the rest of the node.
    (here / "list").write_text("us_2012\ns.toml\n")
    sweep = slurm("sbatch", "--parsable", "--array=1-2", CLUSTER / "array.sbatch", "list", "sweep")
    scaling = slurm("sbatch", "--parsable", "--ntasks=2", CLUSTER / "scaling.sbatch", "scaling.json", "--regions", "4",
                    "--goods", "200", "--repeats", "2")  # fmt: skip
    ours = f"{plan},{sweep},{scaling}"
    wait(slurm, lambda: not slurm("squeue", "-h", "-j", ours), "the end of all jobs")
    words = log.read_text()
    assert "Restarts=1" in slurm("scontrol", "show", "job", plan)
    assert (here / "plan" / "plan.json").exists(), words
    assert not state.exists()  # the script cleans up behind a finished plan
    kantor = Path(sys.executable).with_name("kantor")
    for folder in ("plan", "sweep/1", "sweep/2"):
        slurm(kantor, "verify", folder)
    resumed, alone = (json.loads((here / f / "plan.json").read_text()) for f in ("plan", "sweep/2"))
    assert resumed["certificate"]["lower_bound"] == pytest.approx(alone["certificate"]["lower_bound"], rel=2e-9)
    records = json.loads((here / "scaling.json").read_text())
    assert [record["ranks"] for record in records] == [1, 2]
    assert all(case["status"] == "optimal" for record in records for case in record["cases"])


KILLED = """
source "$KANTOR_SITE"
stale() { for left in /dev/shm/mpich_*; do grep -qsF "$left" /proc/[0-9]*/maps || echo "$left"; done; }
if [ "${SLURM_RESTART_COUNT:-0}" -eq 0 ]; then
  on_all_ranks python -c 'from mpi4py import MPI; import time; print("up", flush=True); time.sleep(600)' &
  until grep -q up killed.log; do sleep 0.2; done
  sleep 3                                            # older than what may be of a job that is just starting
  scancel --signal=KILL "$SLURM_JOB_ID.0"
  wait
  stale
  scontrol requeue "$SLURM_JOB_ID"
  sleep 60
else
  on_all_ranks python -c 'from mpi4py import MPI; print("rank", MPI.COMM_WORLD.rank, "of", MPI.COMM_WORLD.size)'
  ls /dev/shm/*
fi
"""


def test_a_job_whose_ranks_were_killed_comes_up_again(slurm):
    here = slurm.folder
    (here / "killed.sh").write_text("#!/bin/bash" + KILLED)
    options = ("--ntasks=3", "--requeue", "--open-mode=append", "--output=killed.log")
    job = slurm("sbatch", "--parsable", *options, "killed.sh")
    wait(slurm, lambda: slurm("squeue", "-h", "-j", job, "-o", "%T %r") == "PENDING BeginTime", "the requeue")
    first = (here / "killed.log").read_text()
    time.sleep(5)  # slurmd takes a start in the same second for one of before the requeue, and refuses it
    slurm("scontrol", "update", f"jobid={job}", "StartTime=now")
    wait(slurm, lambda: not slurm("squeue", "-h", "-j", job), "the end of the job")
    second = (here / "killed.log").read_text()[len(first) :]
    assert sorted(line for line in second.splitlines() if line.startswith("rank")) == [
        f"rank {r} of 3" for r in (0, 1, 2)
    ]
    left = {line for line in first.splitlines() if line.startswith("/dev/shm/mpich_shm_")}
    assert left  # or this shows nothing
    assert not left & set(second.splitlines())
