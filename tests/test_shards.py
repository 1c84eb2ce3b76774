"""Tables in shards: the same table whoever makes it, checksums, and solves in which nothing is whole."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse as sp

import kantor as kt
from kantor.data.regional import regional_rows, write_regional
from kantor.data.shards import open_shards, write_head, write_shard
from kantor.errors import OptionError, ProblemError
from test_distributed import SECONDS, environment, mpiexec  # noqa: F401 - a fixture

REGIONS, GOODS, USERS = 5, 40, 8

# What every rank does: writes its shards, solves; the first prints. A second solve finds the folder damaged.
RANKS = f"""
import json, sys
import numpy as np
from mpi4py import MPI
import kantor as kt
from kantor.backends.world import World
from kantor.data.regional import write_regional
world, folder = World(MPI.COMM_WORLD), sys.argv[1]
write_regional(folder, {REGIONS}, {GOODS}, users={USERS}, world=world)
found = kt.solve_leontief_shards(folder, world=world)
signed = kt.solve_leontief_shards(sys.argv[2], world=world)
parts = world.comm.allgather((found.first, found.x, found.error_bound, signed.x, signed.error_bound))
world.comm.Barrier()
if world.rank == 0:
    path = folder + "/000004.npz"
    data = bytearray(open(path, "rb").read())
    data[len(data) // 2] ^= 4
    open(path, "wb").write(data)
world.comm.Barrier()
try:
    kt.solve_leontief_shards(folder, world=world)
    said = "nothing"
except kt.errors.KantorError as error:
    said = str(error)
said = world.comm.allgather(said)
if world.rank == 0:
    whole = [np.concatenate([part[i] for part in parts]).tolist() for i in (1, 2, 3, 4)]
    print(json.dumps({{"first": [part[0] for part in parts], "whole": whole, "said": said,
                      "status": [found.status.value, signed.status.value], "halo": found.halo}}))
"""


def table():
    made = [regional_rows(r, REGIONS, GOODS, users=USERS) for r in range(REGIONS)]
    return sp.csr_array(sp.vstack([rows for rows, _ in made])), np.concatenate([d for _, d in made])


def test_a_table_does_not_depend_on_who_writes_it_and_is_read_back(tmp_path):
    A, d = table()
    written = write_regional(tmp_path / "t", REGIONS, GOODS, users=USERS)
    found = open_shards(tmp_path / "t")
    assert found == written
    rows, demand = found.read(range(REGIONS))
    assert (rows != A).nnz == 0
    np.testing.assert_array_equal(demand, d)
    assert found.notes["kind"] == "regional"
    layout, pieces = found.layout(3)
    assert layout.offsets[-1] == REGIONS * GOODS
    assert [i for piece in pieces for i in piece] == list(range(REGIONS))
    with pytest.raises(ProblemError, match="5 shards for 6 ranks"):
        found.layout(6)
    with pytest.raises(OptionError, match="trade"):
        write_regional(tmp_path / "u", 2, 3, trade=1.5)


@pytest.mark.parametrize("damage", ["truncated", "flipped", "missing", "head"])
def test_damage_is_named(tmp_path, damage):
    write_regional(tmp_path, 2, 10, users=3)
    victim = tmp_path / "000001.npz"
    data = bytearray(victim.read_bytes())
    if damage == "truncated":
        victim.write_bytes(data[:-1])
    elif damage == "flipped":
        data[100] ^= 1
        victim.write_bytes(data)
    elif damage == "missing":
        victim.unlink()
    else:
        (tmp_path / "shards.json").write_text((tmp_path / "shards.json").read_text().replace('"n": 20', '"n": 21'))
    with pytest.raises(ProblemError, match=r"shards\.json" if damage == "head" else r"000001\.npz"):
        open_shards(tmp_path).read(range(2))


def test_a_folder_without_its_head_is_no_table(tmp_path):
    shard = write_shard(tmp_path, 0, sp.csr_array([[0.5]]), np.ones(1))
    with pytest.raises(ProblemError, match=r"shards\.json"):
        open_shards(tmp_path)
    write_head(tmp_path, [shard])
    assert open_shards(tmp_path).n == 1


@pytest.mark.mpi
def test_shards_on_three_ranks_give_the_whole_answer_and_all_name_a_damaged_one(mpiexec, tmp_path):  # noqa: F811
    A, d = table()
    signed = A.copy()
    signed.data[::7] *= -0.5
    pieces = [
        write_shard(tmp_path / "signed", r, sp.csr_array(signed[40 * r : 40 * r + 40]), d[40 * r : 40 * r + 40] - 0.4)
        for r in range(REGIONS)
    ]
    write_head(tmp_path / "signed", pieces)
    script = Path(tmp_path / "ranks.py")
    script.write_text(RANKS)
    done = subprocess.run(
        [mpiexec, "-n", "3", sys.executable, script, tmp_path / "t", tmp_path / "signed"], capture_output=True,
        text=True, timeout=SECONDS, env=environment(),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    x, bound, signed_x, signed_bound = (np.array(part) for part in found["whole"])
    alone, alone_signed = kt.solve_leontief(A, d), kt.solve_leontief(signed, d - 0.4)
    assert found["status"] == ["optimal", "optimal"]
    assert found["first"][0] == 0
    assert found["halo"] > 0
    for got, proved, ref in ((x, bound, alone), (signed_x, signed_bound, alone_signed)):
        assert (np.abs(got - ref.x) <= proved + ref.error_bound).all()
        assert proved.max() < 1e-7
    assert len(set(found["said"][:2])) == 1
    assert all("000004.npz" in said for said in found["said"])
