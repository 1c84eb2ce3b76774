"""Linear programs in shards: the answer of the whole program, judged on the raw entries; nothing is whole anywhere."""

from __future__ import annotations

import json

import numpy as np
import pytest
import scipy.sparse as sp

import kantor as kt
from kantor.backends.distributed import SpreadBackend
from kantor.backends.reference import ReferenceBackend
from kantor.data.parts import read_parts
from kantor.data.program_shards import open_program, split_program
from kantor.data.regional_program import regional_part, write_regional_program
from kantor.errors import OptionError, ProblemError
from kantor.solvers import sharded_lp
from test_distributed import kantor, mpiexec, run  # noqa: F401 - a fixture

REGIONS, GOODS, USERS = 5, 24, 6


@pytest.fixture
def alone():
    mpi = pytest.importorskip("mpi4py.MPI", reason="mpi4py is not installed: pip install 'kantor[mpi]'")
    from kantor.backends.world import World

    return World(mpi.COMM_SELF)


def program():
    """Rows of every kind, boxes and free columns, one full row, with a known optimum."""
    rng = np.random.default_rng(8)
    M, N = 70, 100  # one row in 64 may be full and still be an exception
    K = sp.lil_array(sp.random_array((M, N), density=0.07, rng=rng))
    K[7] = rng.random(N) + 0.1
    K = sp.csr_array(K)
    x, y = rng.random(N) * (rng.random(N) < 0.6), rng.standard_normal(M)
    activity = K @ x
    low = np.where(y >= 0.0, activity, -np.inf)
    high = np.where(y <= 0.0, activity, np.inf)
    high[3] = low[3] = activity[3]
    c = K.T @ y + np.where(x == 0.0, rng.random(N), 0.0)
    lower, upper = np.zeros(N), np.full(N, np.inf)
    lower[-1], upper[:5] = -np.inf, 2.0
    c[-1] = (K.T @ y)[-1]
    return kt.LinearProgram(c, K, low, high, lower, upper)


def whole(folder):
    shards = open_program(folder)
    part = shards.read(range(len(shards.shards)))
    assert part.at.tolist() == list(range(shards.shape[0]))
    return kt.LinearProgram(part.c, part.entries, part.row_lower, part.row_upper, part.lower, part.upper)


def test_a_split_program_is_the_program_and_has_its_answer(tmp_path, alone):
    lp = program()
    written = split_program(tmp_path, lp, 4)
    assert open_program(tmp_path) == written
    assert written.entries == lp.K.nnz  # every entry lies with one shard
    for piece in (written.read([i]) for i in range(4)):
        assert 0 < piece.entries[piece.at == 7].nnz < 50  # nobody has all of the full row
    found = whole(tmp_path)
    assert abs(found.K - lp.K).max() == 0.0
    for side in ("c", "lower", "upper", "row_lower", "row_upper"):
        np.testing.assert_array_equal(getattr(found, side), getattr(lp, side))
    answer = kt.solve_lp_shards(tmp_path, world=alone, tolerance=1e-8, iteration_limit=50_000)
    assert answer.status.value == "optimal"
    assert answer.objective == pytest.approx(kt.solve_lp(lp, method="highs").objective, rel=1e-7)
    assert kt.verify_lp(lp, kt.Solution(answer.x, answer.y, answer.reduced_costs, answer.objective,
                                        answer.dual_objective, answer.status, answer.info)).ok  # fmt: skip
    worse = answer.x.copy()
    worse[3] += 0.1
    answer.x = worse
    assert not kt.verify_lp_shards(tmp_path, answer, world=alone).within(1e-3)


def test_the_scaled_matrix_is_no_larger_than_one(tmp_path, alone):
    lp = program()
    lp.K.data *= 10.0 ** np.random.default_rng(1).uniform(-3, 3, lp.K.nnz)
    rows, columns, _ = split_program(tmp_path, lp, 1).layout(1)
    part, spread = open_program(tmp_path).read([0]), SpreadBackend(ReferenceBackend(), alone)
    scaled = sharded_lp._scale(part, rows, columns, spread, sharded_lp._Parts(alone), 10)
    dense = np.zeros(lp.shape)
    spread.matvec(scaled.K, np.eye(lp.shape[1]), dense)
    np.testing.assert_allclose(dense, lp.K.toarray() / scaled.scaling.row[:, None] / scaled.scaling.column)
    assert 0.3 < np.linalg.norm(dense, 2) <= scaled.norm_bound


@pytest.mark.parametrize("damage", ["truncated", "flipped", "missing", "head"])
def test_damage_is_named(tmp_path, damage):
    write_regional_program(tmp_path, 2, 6, users=2)
    victim, head = tmp_path / "000001.npz", tmp_path / "program.json"
    data = bytearray(victim.read_bytes())
    data[len(data) // 2] ^= 1
    if damage == "truncated":
        victim.write_bytes(data[:-1])
    elif damage == "flipped":
        victim.write_bytes(data)
    elif damage == "missing":
        victim.unlink()
    else:
        head.write_text(head.read_text().replace('"entries"', '"entry"', 1))
    with pytest.raises(ProblemError, match=r"program\.json" if damage == "head" else r"000001\.npz"):
        open_program(tmp_path).read(range(2))


def test_what_cannot_be_split_is_refused(tmp_path):
    lp = program()
    with pytest.raises(ProblemError, match="71 shards"):
        split_program(tmp_path, lp, 71)
    with pytest.raises(OptionError, match="goods"):
        write_regional_program(tmp_path, 2, 0)
    with pytest.raises(ProblemError, match="5 shards for 6 ranks"):
        write_regional_program(tmp_path, REGIONS, GOODS, users=USERS).layout(6)


@pytest.mark.mpi
def test_ranks_make_a_program_solve_it_and_write_the_answer_together(mpiexec, tmp_path):  # noqa: F811
    folder, answer = tmp_path / "p", tmp_path / "x"
    words = ("generate", "regional-program", REGIONS, GOODS, "--users", USERS, "-o", folder)
    made = run(mpiexec, "-n", 2, *kantor(*words))
    assert made.returncode == 0, made.stderr
    np.testing.assert_array_equal(open_program(folder).read([2]).c, regional_part(2, REGIONS, GOODS, users=USERS).c)
    said = []
    for _ in range(2):
        done = run(mpiexec, "-n", 3, *kantor("lp", folder, "-o", answer, "--json", "--tolerance", "1e-6"))
        assert done.returncode == 0, done.stderr
        said.append((json.loads(done.stdout), read_parts(answer)[0]))
    lp = whole(folder)
    exact = kt.solve_lp(lp, method="highs")
    assert exact.y[-1] < -0.01  # the common limit binds: what one region takes another cannot
    found, table = said[0]
    assert found["status"] == "optimal"
    assert found["ranks"] == 3
    assert found["objective"] == pytest.approx(exact.objective, rel=1e-5)
    assert lp.c @ table["x"] == pytest.approx(found["objective"], rel=1e-12)
    assert (said[1][1]["x"] == table["x"]).all()  # the same bits
    assert len(list(answer.glob("*.parquet"))) == 3
    shard = folder / "000004.npz"
    shard.write_bytes(shard.read_bytes()[:-9])
    torn = run(mpiexec, "-n", 3, *kantor("lp", folder))
    assert torn.returncode == 2
    assert torn.stderr.count("000004.npz") == 1


@pytest.mark.mpi
def test_a_program_in_shards_goes_on_from_what_every_rank_kept(mpiexec, tmp_path):  # noqa: F811
    folder, state = tmp_path / "p", tmp_path / "state"
    write_regional_program(folder, REGIONS, GOODS, users=USERS)

    def solve(ranks, *more):
        done = run(mpiexec, "-n", ranks, *kantor("lp", folder, "--json", "-o", tmp_path / f"x{ranks}", *more))
        said = json.loads(done.stdout)
        return done.returncode, said.get("iterations"), said

    straight = solve(3)
    assert straight[0] == 0
    whole_way = read_parts(tmp_path / "x3")[0]
    assert solve(3, "--checkpoint", state, "--iteration-limit", 500)[:2] == (4, 500)
    files = sorted(path.name for path in state.glob("*.npz"))
    assert files == [f"000000000400-{rank:05d}of3.npz" for rank in range(3)]
    assert solve(3, "--checkpoint", state, "--iteration-limit", 20)[:2] == (4, 400)  # past its limit: it went on
    code, _, said = solve(2, "--checkpoint", state, "--iteration-limit", 900)  # other ranks
    assert (code, said["iterations"]) == (4, 900)
    assert sorted(path.name for path in state.glob("*.npz")) == [f"000000000800-{rank:05d}of2.npz" for rank in (0, 1)]
    assert solve(3, "--checkpoint", state)[0] == 0
    assert said["objective"] != straight[2]["objective"]
    for path in state.iterdir():
        path.unlink()
    solve(3, "--checkpoint", state, "--iteration-limit", 500)
    assert solve(3, "--checkpoint", state)[:2] == straight[:2]
    assert (read_parts(tmp_path / "x3")[0]["x"] == whole_way["x"]).all()  # the same bits
    victim = sorted(state.glob("*.npz"))[1]
    data = bytearray(victim.read_bytes())
    data[len(data) // 2] ^= 1
    victim.write_bytes(data)
    code, _, said = solve(3, "--checkpoint", state)
    assert code == 2
    assert victim.name in said["error"]["message"]
