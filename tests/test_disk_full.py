"""A disk that is full while several ranks write: one message that names the file, nobody waits, what was there before
stays whole and is gone on from. The disk is a tmpfs of a few hundred kilobytes; skipped where none can be mounted."""

from __future__ import annotations

import json
import shutil
import subprocess

import pytest

import mpi_checks_here as here
from kantor.data.regional_program import write_regional_program
from test_distributed import kantor, mpiexec, often, run  # noqa: F401 - a fixture among them

pytestmark = pytest.mark.mpi
FULL = "No space left on device"


@pytest.fixture
def disk(tmp_path):
    """A folder on a disk of its own that ``fill`` fills; 512 kB."""
    place = tmp_path / "disk"
    place.mkdir()
    if shutil.which("mount") is None:
        pytest.skip("no mount command")
    made = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=512k", "none", place], capture_output=True, text=True)
    if made.returncode:
        pytest.skip(f"no tmpfs can be mounted here: {made.stderr.strip()}")
    try:
        yield place
    finally:
        subprocess.run(["umount", "--lazy", place], check=False)


def fill(disk, leave=0):
    """Leave ``leave`` bytes free."""
    with open(disk / "filler", "wb", buffering=0) as filler:
        try:
            while True:
                filler.write(bytes(4096))
        except OSError:
            filler.truncate(max(0, filler.tell() - leave))


def everything(folder):
    return {path.name: path.read_bytes() for path in folder.rglob("*") if path.is_file() and path.name != "filler"}


def ended_with_one_message(done, name):
    assert done.returncode not in (0, 4, 130), done.stdout
    assert done.stderr.count(FULL) == 1, done.stderr  # with --json standard output has it too, for programs
    assert name in done.stderr
    assert "Traceback" not in done.stderr


def test_the_state_that_the_first_rank_writes(mpiexec, disk, tmp_path):  # noqa: F811
    here.write_mps(tmp_path / "lp.mps")
    state = disk / "state"
    words = ("lp", tmp_path / "lp.mps", "--method", "pdhg", "--tolerance", "1e-300", "--checkpoint", state)
    assert run(mpiexec, "-n", 2, *often(*words, "--iteration-limit", 500)).returncode == 4
    before = everything(disk)
    assert before
    fill(disk)
    done = run(mpiexec, "-n", 2, *often(*words, "--iteration-limit", 100_000))
    ended_with_one_message(done, "checkpoint.npz")
    assert everything(disk) == before  # not half a file beside it either
    (disk / "filler").unlink()
    reached = here.iterations_of((state / "checkpoint.npz").read_bytes())
    again = run(mpiexec, "-n", 2, *kantor(*words, "--iteration-limit", 20, "--json"))  # past its limit: it went on
    assert json.loads(again.stdout)["iterations"] == reached >= 400


def test_the_state_of_which_every_rank_writes_its_part(mpiexec, disk, tmp_path):  # noqa: F811
    program, state = tmp_path / "p", disk / "state"
    write_regional_program(program, 3, 60, users=5)
    words = ("lp", program, "--checkpoint", state, "--json")
    assert run(mpiexec, "-n", 3, *kantor(*words, "--iteration-limit", 300)).returncode == 4
    before = everything(disk)
    reached = json.loads(before["state.json"])["scalars"]["total"]
    fill(disk, leave=len(max(before.values(), key=len)))  # some rank's part may go through
    done = run(mpiexec, "-n", 3, *kantor(*words, "--iteration-limit", 900))
    ended_with_one_message(done, ".npz")
    after = everything(disk)
    assert {name: after[name] for name in before} == before
    assert not any(name.endswith(".partial") for name in after)
    (disk / "filler").unlink()
    again = run(mpiexec, "-n", 3, *kantor(*words, "--iteration-limit", 20))
    assert json.loads(again.stdout)["iterations"] == reached > 0


def test_shards_and_the_parts_of_an_answer(mpiexec, disk, tmp_path):  # noqa: F811
    fill(disk, leave=100_000)
    done = run(mpiexec, "-n", 3, *kantor("generate", "regional", 6, 600, "-o", disk / "t"))
    ended_with_one_message(done, ".npz")
    assert not (disk / "t" / "shards.json").exists()  # no table, then
    (disk / "filler").unlink()
    shutil.rmtree(disk / "t")
    assert run(mpiexec, "-n", 3, *kantor("generate", "regional", 3, 300, "-o", tmp_path / "t")).returncode == 0
    fill(disk, leave=8192)
    done = run(mpiexec, "-n", 3, *kantor("balance", tmp_path / "t", "--parquet", disk / "x"))
    ended_with_one_message(done, ".parquet")
    assert not (disk / "x" / "_parts.json").exists()


def test_a_plan_folder_keeps_the_old_plan(mpiexec, disk):  # noqa: F811
    plan = disk / "plan"
    words = (*kantor("plan", "us_2012", "-o", plan), "--json")
    assert run(mpiexec, "-n", 2, *words).returncode == 0
    before = everything(disk)
    fill(disk, leave=20_000)
    done = run(mpiexec, "-n", 2, *words)
    ended_with_one_message(done, "plan")
    assert everything(disk) == before
    assert run(*kantor("verify", plan)).returncode == 0
