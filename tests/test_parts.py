"""Tables in shards on the command line, and tables that many ranks write in parts: the same numbers, damage named."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

import kantor as kt
from kantor.data.parts import begin_parts, finish_parts, read_parts, write_part
from kantor.data.shards import open_shards, split_table
from kantor.errors import ProblemError
from test_distributed import kantor, mpiexec, run  # noqa: F401 - a fixture


def parts(folder, *sizes):
    begin_parts(folder)
    tables = [pd.DataFrame({"good": np.arange(size), "x": np.linspace(0, 1, size)}) for size in sizes]
    finish_parts(folder, [write_part(folder, i, table) for i, table in enumerate(tables)], status="optimal")
    return pd.concat(tables, ignore_index=True)


def test_parts_are_read_as_one(tmp_path):
    whole = parts(tmp_path, 3, 0, 5)
    found, facts = read_parts(tmp_path)
    pd.testing.assert_frame_equal(found, whole)
    assert facts == {"status": "optimal"}
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path), whole)  # by anybody
    shorter = parts(tmp_path, 2)  # in the place of the old ones
    pd.testing.assert_frame_equal(read_parts(tmp_path)[0], shorter)
    assert not (tmp_path / "000002.parquet").exists()


@pytest.mark.parametrize("damage", ["truncated", "flipped", "missing", "exchanged", "head", "no head"])
def test_a_damaged_part_is_named(tmp_path, damage):
    parts(tmp_path, 30, 40)
    victim, head = tmp_path / "000001.parquet", tmp_path / "_parts.json"
    data = bytearray(victim.read_bytes())
    data[len(data) // 2] ^= 1
    if damage == "truncated":
        victim.write_bytes(data[:-5])
    elif damage == "flipped":
        victim.write_bytes(data)
    elif damage == "missing":
        victim.unlink()
    elif damage == "exchanged":
        victim.write_bytes((tmp_path / "000000.parquet").read_bytes())
    elif damage == "head":
        head.write_text(head.read_text()[:-3])
    else:
        head.unlink()
    with pytest.raises(ProblemError, match=r"_parts\.json" if "head" in damage else r"000001\.parquet"):
        read_parts(tmp_path)


def test_other_files_are_not_replaced(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(ProblemError, match="not replaced"):
        begin_parts(tmp_path)


def test_no_shard_is_empty(tmp_path):
    A = sp.lil_array((6, 6))
    A[2] = 0.1  # all entries in one row
    table = split_table(tmp_path, sp.csr_array(A), np.ones(6), 4)
    assert min(shard.rows for shard in table.shards) > 0
    assert abs(table.read(range(4))[0] - A).max() == 0.0


def test_a_table_is_written_in_shards(tmp_path):
    done = run(
        *kantor("generate", "power-law", "60", "--inputs", "12", "--shards", "7", "-o", tmp_path / "t", "--json")
    )
    assert done.returncode == 0, done.stderr
    table = open_shards(tmp_path / "t")
    assert len(table.shards) == 7
    economy = kt.power_law(60, inputs=12)
    A, d = table.read(range(7))
    assert (A != economy.A).nnz == 0
    np.testing.assert_array_equal(d, economy.demand("total"))
    assert run(*kantor("generate", "power-law", "60", "--shards", "61", "-o", tmp_path / "u")).returncode == 2


@pytest.mark.mpi
def test_ranks_make_a_table_solve_it_and_write_the_answer_together(mpiexec, tmp_path):  # noqa: F811
    table, answer = tmp_path / "t", tmp_path / "x"
    made = run(mpiexec, "-n", 3, *kantor("generate", "regional", 5, 40, "--users", 8, "-o", table))
    assert made.returncode == 0, made.stderr
    done = run(mpiexec, "-n", 3, *kantor("balance", table, "--parquet", answer, "--json"))
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    found, facts = read_parts(answer)
    assert sorted(path.name for path in answer.glob("*.parquet")) == [f"00000{rank}.parquet" for rank in range(3)]
    A, d = open_shards(table).read(range(5))
    alone = kt.solve_leontief(A, d)
    assert (np.abs(found["gross_output"] - alone.x) <= found["error_bound"] + alone.error_bound).all()
    assert found["error_bound"].max() == said["error_bound"] < 1e-9
    assert facts["status"] == said["status"] == "optimal"
    assert said["gross_output"] == pytest.approx(alone.x.sum(), rel=1e-12)
    assert said["largest"][0]["good"] == int(alone.x.argmax())
    refused = run(mpiexec, "-n", 2, *kantor("generate", "power-law", "60", "-o", tmp_path / "no"))
    assert refused.returncode == 2
    assert "regional" in refused.stderr
    shard = table / "000003.npz"
    shard.write_bytes(shard.read_bytes()[:-9])
    torn = run(mpiexec, "-n", 3, *kantor("balance", table))
    assert torn.returncode == 2
    assert torn.stderr.count("000003.npz") == 1
