"""Solves of several ranks under a real mpiexec: the answers of one process, the same bits when repeated, no rank left
waiting. What the ranks do themselves is in mpi_checks.py."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

import kantor as kt
import mpi_checks_here as here
from kantor.backends import gpu_mpi
from kantor.backends.partition import Held, Layout, best, compare, contiguous, divide, fewest, full_rows
from kantor.backends.reference import ReferenceBackend
from kantor.cli import launched
from kantor.errors import OptionError
from kantor.planning.by_region import divide_plan

pytestmark = pytest.mark.mpi

CHECKS = Path(__file__).with_name("mpi_checks.py")
SECONDS = 240  # a hang is a failure; nothing here takes more than a few seconds on a free machine


@pytest.fixture(scope="module")
def mpiexec():
    pytest.importorskip("mpi4py", reason="mpi4py is not installed: pip install 'kantor[mpi]'")
    beside = Path(sys.executable).with_name("mpiexec")
    found = str(beside) if beside.exists() else shutil.which("mpiexec")
    if found is None:
        pytest.skip("no mpiexec: pip install mpich")
    return found


def environment():
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("PMI_", "SLURM_", "KANTOR_BACKEND"))}
    return kept | {"OMP_NUM_THREADS": "1", "KANTOR_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}


def run(*command, more=None):
    words = [str(part) for part in command]
    env = environment() | (more or {})
    return subprocess.run(words, capture_output=True, text=True, timeout=SECONDS, env=env)


def kantor(*arguments):
    return (sys.executable, "-m", "kantor", *arguments)


@pytest.fixture(scope="module")
def serial():
    return here.answers()


@pytest.mark.parametrize("ranks", [1, 2, 3, 4, 7])
def test_any_number_of_ranks_gives_the_answer_of_one(mpiexec, serial, ranks):
    done = run(mpiexec, "-n", ranks, sys.executable, CHECKS, "native" if ranks != 2 else "reference")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["ranks"] == ranks
    assert found["backend"] == ("distributed" if ranks > 1 else "native")
    np.testing.assert_allclose(found["leontief"], serial["leontief"], rtol=1e-9)
    assert found["lp"] == [serial["lp"][0], pytest.approx(serial["lp"][1], rel=1e-7)]
    for name, expected in serial["plans"].items():
        status, method, lower, upper, gap = found["plans"][name]
        assert [status, method] == expected[:2]
        assert status == "optimal"
        assert method == name
        assert [lower, upper] == pytest.approx(expected[2:4], rel=1e-9)
        assert gap == pytest.approx(expected[4], abs=1e-9)
    assert re.search(r"A\b.*nan", found["error"])  # every rank raised it, or the job would not have ended
    if ranks in (2, 3):  # each run compares two solves; processes of another run give the same bits too
        again = run(mpiexec, "-n", ranks, sys.executable, CHECKS, "native" if ranks != 2 else "reference")
        assert json.loads(again.stdout.splitlines()[-1])["bits"] == found["bits"]


@pytest.mark.parametrize("direct", ["0", "1"])
def test_device_memory_is_staged_or_handed_to_mpi(mpiexec, direct):
    """Four ranks with the CUDA backend on an emulated GPU, whose memory is the host's: any MPI can be handed it."""
    import emulated_gpu

    emulated_gpu.cuda_module()  # built once, not by every rank
    command = (mpiexec, "-n", 4, sys.executable, CHECKS, "emulated", "kernels")
    done = run(*command, more={"KANTOR_GPU_MPI": direct})
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1]) == {"direct": direct == "1", "backend": "cuda"}


def test_mpi_is_asked_whether_it_takes_device_memory(monkeypatch):
    class Device(ReferenceBackend):
        def zeros(self, shape):
            return type("Array", (), {"__cuda_array_interface__": {}})()

    said = {"mpich": 0, "open": 0}

    def query(kind, flag):
        flag._obj.value = said["mpich"]
        return 0

    library = type("Library", (), {})()
    monkeypatch.delenv("KANTOR_GPU_MPI", raising=False)
    monkeypatch.setattr(gpu_mpi, "_library_says", lambda: gpu_mpi._mpich(library) or gpu_mpi._open(library))
    assert not gpu_mpi.sends_from_device(Device())  # an MPI that knows no such question
    library.MPIX_GPU_query_support, library.MPIX_Query_cuda_support = query, lambda: said["open"]
    assert not gpu_mpi.sends_from_device(Device())
    for kind in said:
        said |= {"mpich": 0, "open": 0, kind: 1}
        assert gpu_mpi.sends_from_device(Device())
        assert not gpu_mpi.sends_from_device(ReferenceBackend())  # the host's memory
    monkeypatch.setenv("KANTOR_GPU_MPI", "0")
    assert not gpu_mpi.sends_from_device(Device())
    monkeypatch.setenv("KANTOR_GPU_MPI", "yes")
    with pytest.raises(OptionError, match="KANTOR_GPU_MPI"):
        gpu_mpi.sends_from_device(Device())


def test_a_plan_under_mpiexec_is_the_plan_of_one_process_and_verifies(mpiexec, tmp_path):
    command = kantor("plan", "us_2012", "-o")
    alone = run(*command, tmp_path / "one", "--json")
    together = run(mpiexec, "-n", 2, *command, tmp_path / "two", "--json")
    assert together.returncode == 0, together.stderr
    one, two = json.loads(alone.stdout), json.loads(together.stdout)  # one JSON object: one rank spoke
    assert two["objective"] == pytest.approx(one["objective"], rel=1e-9)
    assert two["backend"] == "distributed"
    assert two["device"].startswith("2 ranks")
    assert run(*kantor("verify", tmp_path / "two")).returncode == 0


def test_an_error_of_all_ranks_is_said_once(mpiexec, tmp_path):
    done = run(mpiexec, "-n", 2, *kantor("plan", "nowhere", "-o", tmp_path / "plan"))
    assert done.returncode == 2
    assert done.stderr.count("cannot read the scenario nowhere") == 1
    refused = run(mpiexec, "-n", 2, *kantor("check", "us_2012"))
    assert refused.returncode == 2
    assert "runs on one process" in refused.stderr


def test_an_error_of_one_rank_ends_the_job_with_its_message(mpiexec, tmp_path):
    here.write_mps(tmp_path / "good.mps")
    command = kantor("lp", tmp_path / "good.mps", "--method", "pdhg")
    bad = kantor("lp", tmp_path / "absent.mps", "--method", "pdhg")
    done = run(mpiexec, "-n", 1, *command, ":", "-n", 1, *bad)
    assert done.returncode != 0
    assert "rank 1 of 2" in done.stderr
    assert "absent.mps" in done.stderr


ALONE = """
import sys
import numpy as np
import kantor as kt
with kt.distributed() as world:
    if world.rank == 1 or sys.argv[1] == "all":
        raise ValueError("this one cannot go on")
    kt.solve_leontief(np.full((4, 4), 0.1), np.ones(4))
"""


@pytest.mark.parametrize("who", ["one", "all"])
def test_an_exception_in_python_leaves_nobody_waiting(mpiexec, who):
    done = run(mpiexec, "-n", 2, sys.executable, "-c", ALONE, who)
    assert done.returncode != 0
    assert "this one cannot go on" in done.stderr
    assert ("rank 1 of 2" in done.stderr) == (who == "one")


EARLY = """
import os, signal, sys
import kantor.cli as cli
load = cli.__getattr__
def interrupted(name):
    if os.environ["PMI_RANK"] == "1":
        os.kill(os.getpid(), signal.SIGTERM)
    return load(name)
cli.__getattr__ = interrupted
sys.argv = ["kantor", *sys.argv[1:]]
cli.main()
"""


def test_a_signal_to_one_rank_before_mpi_is_up_leaves_nobody_waiting(mpiexec, tmp_path):
    plan = [sys.executable, "-c", EARLY, "plan", "us_2012", "-o", tmp_path / "plan"]
    done = run(mpiexec, "-n", 2, *plan)
    assert done.returncode == 130, done.stdout + done.stderr


def start(*command):
    return subprocess.Popen(
        [str(part) for part in command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment()
    )


def often(*arguments):
    return (sys.executable, "-c", here.OFTEN, *arguments)


@pytest.fixture
def endless(tmp_path):
    """(arguments of a solve that never ends, its checkpoint): one after some iterations is there."""
    here.write_mps(tmp_path / "lp.mps")
    arguments = ("lp", tmp_path / "lp.mps", "--method", "pdhg", "--json", "--tolerance", "1e-300")
    arguments = (*arguments, "--checkpoint", tmp_path / "state")
    assert run(*kantor(*arguments, "--iteration-limit", 500)).returncode == 4
    return arguments, tmp_path / "state" / "checkpoint.npz"


def goes_on(launcher, arguments, checkpoint):
    """A limit already passed: a run that started anew would stop at it, one that goes on is where the other ended."""
    reached = here.iterations_of(checkpoint.read_bytes())
    assert reached >= 400
    again = run(*launcher, *kantor(*arguments, "--iteration-limit", 20))
    assert again.returncode == 4, again.stderr
    assert json.loads(again.stdout.splitlines()[-1])["iterations"] == reached


def test_a_signal_to_one_rank_interrupts_all_and_another_number_of_ranks_goes_on(mpiexec, endless):
    arguments, checkpoint = endless
    job = start(mpiexec, "-n", 2, *often(*arguments))
    os.kill(here.wait_for_rank(1, str(checkpoint.parent), checkpoint, SECONDS), signal.SIGUSR1)
    said, words = job.communicate(timeout=SECONDS)
    assert job.returncode == 130, words
    assert said, words
    assert json.loads(said.splitlines()[-1])["status"] == "interrupted"
    goes_on((), arguments, checkpoint)
    goes_on((mpiexec, "-n", 3), arguments, checkpoint)


def test_a_killed_rank_ends_the_job_and_leaves_the_last_checkpoint_whole(mpiexec, endless):
    arguments, checkpoint = endless
    job = start(mpiexec, "-n", 2, *often(*arguments))
    os.kill(here.wait_for_rank(1, str(checkpoint.parent), checkpoint, SECONDS), signal.SIGKILL)
    job.communicate(timeout=SECONDS)  # raises if the other rank waits for ever
    assert job.returncode != 0
    goes_on((), arguments, checkpoint)
    checkpoint.write_bytes(checkpoint.read_bytes()[:-200])
    torn = run(mpiexec, "-n", 2, *kantor(*arguments))
    assert torn.returncode == 2
    assert "checkpoint.npz" in torn.stderr


def two_regions():
    goods = pd.MultiIndex.from_tuples([("a", "x"), ("b", "x"), ("a", "y"), ("b", "y")], names=["region", "sector"])
    names = {"products": goods, "indicators": ["labour", "land"]}
    return kt.Economy.from_arrays(input=np.full((4, 4), 0.1), intensities=np.ones((2, 4)), demand=np.ones(4), **names)


# ---- layouts and volumes: no ranks needed ----------------------------------------------------------------------------
def test_layouts_put_every_index_on_one_rank():
    rng = np.random.default_rng(3)
    for owner in (np.array([0, 0, 1, 2, 2]), rng.integers(0, 4, 50), np.zeros(0, dtype=int), np.full(3, 2)):
        layout = Layout.of_owners(owner, 5)
        assert layout.n == owner.size
        for rank in range(5):
            owned = layout.owned(rank)
            np.testing.assert_array_equal(np.arange(owner.size)[owned], np.flatnonzero(owner == rank))
        np.testing.assert_array_equal(layout.owner(layout.position(np.arange(owner.size))), owner)
    assert contiguous(np.ones(3), 7).counts.sum() == 3


def test_what_a_product_moves_is_counted_by_hand():
    # rank 0 owns 0, 1; rank 1 owns 2, 3. Row 0 reads column 2, row 2 its own, row 3 columns 0 and 1.
    K = sp.csr_array(([1.0] * 5, ([0, 1, 2, 3, 3], [2, 1, 2, 0, 1])), shape=(4, 4))
    halves = contiguous(np.ones(4), 2)
    rows, parts, shorter, grid = compare(K, halves, halves)
    assert (rows.values, rows.sums, rows.most) == (3, 0, 2)  # x_2; x_0, x_1
    assert (parts.values, parts.sums) == (3, 0)  # no row is more than half full
    assert (shorter.values, shorter.sums) == (1, 1)  # one sum for row 3 in place of two values
    assert shorter.pairs.tolist() == [[False, False], [True, False]]
    assert (grid.values, grid.sums) == (0, 2)  # 1 x 2: entries lie with their columns
    assert rows.balance == pytest.approx(3 / 2.5)
    assert best(K, halves, halves).scheme == "grid"  # as few numbers as "shorter", whose ranks hold 4 and 1 entries


def test_a_full_row_is_added_up_by_parts_unless_the_matrix_is_dense():
    K = sp.lil_array((200, 3000))
    K[5] = 1.0
    K[:, 0] = 1.0
    K = sp.csr_array(K)
    assert full_rows(K).tolist() == [5]
    assert full_rows(sp.csr_array(np.ones((200, 200)))).size == 0
    rows, parts, *_ = compare(K, contiguous(np.ones(200), 4), contiguous(np.ones(3000), 4))
    assert rows.moved == 2250 + 3  # rank 0's full row gathers the rest of x; three ranks need x_0
    assert parts.moved == 3 + 3  # one sum from each of three ranks, and x_0 to each of three ranks


def test_graph_partition_finds_hidden_regions():
    pytest.importorskip("pymetis", reason="pymetis is not installed: pip install 'kantor[partition]'")
    rng = np.random.default_rng(5)
    blocks = sp.csr_array(sp.block_diag([sp.random_array((60, 60), density=0.2, rng=rng) for _ in range(4)]))
    shuffled = rng.permutation(240)
    K = sp.csr_array(blocks[shuffled][:, shuffled])
    plain, cut = divide(K, 4, "contiguous"), divide(K, 4)
    assert "METIS" in cut[2]
    assert best(K, *cut[:2]).moved == 0 < best(K, *plain[:2]).moved
    wide = sp.csr_array(K[:, :200])
    assert best(wide, *divide(wide, 4)[:2]).moved < best(wide, *divide(wide, 4, "contiguous")[:2]).moved


def test_options_of_distributed_are_checked():
    mpi = pytest.importorskip("mpi4py.MPI", reason="mpi4py is not installed")
    from kantor.backends.world import World

    with pytest.raises(OptionError, match="partition: 'grid'"):
        World(mpi.COMM_SELF, "grid")


def test_kantor_partition_counts_before_solving():
    done = run(*kantor("partition", "us_2012", "--ranks", "2", "--ranks", "5", "--json"))
    found = json.loads(done.stdout)
    assert {line["ranks"] for line in found["partitions"]} == {2, 5}
    for line in found["partitions"]:
        assert line["used"] in line["moved"]
    assert run(*kantor("partition", "us_2012", "--ranks", "0")).returncode == 2
    many = run(*kantor("partition", "us_2012", "--ranks", "2", "--ranks", "500"))
    assert many.returncode == 2
    assert "--ranks 500" in many.stderr
    assert not many.stdout  # not even from the partitioner


def test_what_is_used_moves_least_of_the_balanced_ones():
    fair, uneven, tie = Held("rows", 9, 0, 5, 1.0), Held("shorter", 2, 0, 2, 1.31), Held("grid", 9, 0, 5, 1.0)
    assert fewest([fair, uneven, tie]) is fair
    assert fewest([fair, replace(uneven, balance=1.29), tie]).scheme == "shorter"


def test_the_launchers_are_understood(monkeypatch):
    for name in ("PMI_SIZE", "OMPI_COMM_WORLD_SIZE", "PMIX_RANK", "SLURM_STEP_NUM_TASKS"):
        monkeypatch.delenv(name, raising=False)
    assert launched() == 1
    monkeypatch.setenv("SLURM_STEP_NUM_TASKS", "6")
    assert launched() == 1  # srun without MPI
    monkeypatch.setenv("PMIX_RANK", "0")
    assert launched() == 6
    monkeypatch.setenv("PMI_SIZE", "3")
    assert launched() == 3


def test_goods_of_a_region_lie_together(monkeypatch):
    """Plans and analyses tell the ranks which good is of which region; one process stands in for four here."""
    mpi = pytest.importorskip("mpi4py.MPI", reason="mpi4py is not installed")
    from kantor.analysis.system import InputOutput
    from kantor.backends import world as of_world

    economy = two_regions()
    monkeypatch.setattr(of_world, "_active", world := of_world.World(mpi.COMM_SELF))
    InputOutput.of(economy, "test")
    np.testing.assert_array_equal(world.groups[4], [0, 1, 0, 1])
    world.groups.clear()
    economy.base_plan(np.ones(4))
    np.testing.assert_array_equal(world.groups[4], [0, 1, 0, 1])
    world.groups.clear()
    program = kt.Plan(economy, limits={"labour": 3.0, "land": 3.0}).compile()
    divide_plan(economy, program)
    np.testing.assert_array_equal(world.groups[4], [0, 1, 0, 1])
    np.testing.assert_array_equal(world.groups[5], [0, 1, 0, 1, 1])  # techniques and the scale
    np.testing.assert_array_equal(world.groups[6], [0, 1, 0, 1, 1, 1])  # goods and two limits
