"""MPS and LP files: number by number what was written, names kept, and the plan's optimum for any solver."""

from __future__ import annotations

import csv
import subprocess
import sys
from pathlib import Path

import highspy
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

import kantor as kt
from kantor.data.model_names import lp_name, mps_name
from kantor.errors import ProblemError


def any_program(seed: int) -> kt.LinearProgram:
    """Rows and columns with every kind of sides: none, one, two, equal; entries over ten orders of magnitude."""
    rng = np.random.default_rng(seed)
    m, n = rng.integers(1, 8, 2)
    K = sp.random_array((m, n), density=0.6, rng=rng, format="csr")
    K.data = rng.normal(size=K.nnz) * 10.0 ** rng.integers(-5, 5, size=K.nnz)
    low = rng.normal(size=m)
    high = low + rng.random(m) * 10.0 ** rng.integers(-8, 8, m)
    kind = rng.integers(0, 4, m)
    row_lower = np.where(kind == 1, -np.inf, low)
    row_upper = np.where(kind == 2, np.inf, np.where(kind == 3, low, high))
    left = rng.normal(size=n)
    kind = rng.integers(0, 6, n)
    lower = np.where((kind == 1) | (kind == 3), -np.inf, np.where(kind == 5, 0.0, left))
    upper = np.where((kind == 2) | (kind == 3) | (kind == 5), np.inf, np.where(kind == 4, left, left + rng.random(n)))
    return kt.LinearProgram(
        rng.normal(size=n), K, row_lower, row_upper, lower, upper, offset=float(rng.normal()), maximise=bool(seed % 2)
    )


def read(path: Path, columns: list[str]) -> dict[str, np.ndarray]:
    """A model as HiGHS reads it, its columns in this order; rows by name with their sides and entries."""
    model = highspy.Highs()
    model.setOptionValue("output_flag", False)
    model.setOptionValue("small_matrix_value", 1e-12)
    assert model.readModel(str(path)) == highspy.HighsStatus.kOk
    lp = model.getLp()
    order = [list(lp.col_names_).index(name) for name in columns]
    stored = lp.a_matrix_
    make = sp.csc_array if stored.format_ == highspy.MatrixFormat.kColwise else sp.csr_array
    K = make((stored.value_, stored.index_, stored.start_), shape=(lp.num_row_, lp.num_col_)).toarray()
    sign = -1.0 if lp.sense_ == highspy.ObjSense.kMaximize else 1.0
    rows = {name: k for k, name in enumerate(lp.row_names_)}
    return {
        "c": sign * np.array(lp.col_cost_)[order],
        "offset": sign * lp.offset_,
        "lower": np.array(lp.col_lower_)[order],
        "upper": np.array(lp.col_upper_)[order],
        "rows": {name: (K[k, order], lp.row_lower_[k], lp.row_upper_[k]) for name, k in rows.items()},
    }


@pytest.mark.parametrize("suffix", [".mps", ".mps.gz", ".lp"])
def test_what_is_read_is_what_was_written_bit_by_bit(tmp_path: Path, suffix: str) -> None:
    for seed in range(25):
        lp = any_program(seed)
        write = kt.write_lp if suffix == ".lp" else kt.write_mps
        path = tmp_path / f"model{suffix}"
        names = write(lp, path, [f"row {i}" for i in range(lp.shape[0])], [f"{j} column" for j in range(lp.shape[1])])
        found = read(path, names.columns)
        for key in ("c", "lower", "upper"):
            np.testing.assert_array_equal(found[key], getattr(lp, key), err_msg=f"{seed} {key}")
        assert found["offset"] == lp.offset
        for i, name in enumerate(names.rows):
            parts = [found["rows"][k] for k in (name, f"{name}_low") if k in found["rows"]]
            for entries, _, _ in parts:
                np.testing.assert_array_equal(entries, lp.K.toarray()[i])
            assert (max(p[1] for p in parts), min(p[2] for p in parts)) == (lp.row_lower[i], lp.row_upper[i])


def test_names_are_legal_unique_and_kept_where_they_can_be(tmp_path: Path) -> None:
    labels = ["steel", "steel 2", "steel_2", "e12", "max", "3 kWh", "Öl", "north / steel", "steel"]
    lp = kt.LinearProgram(np.ones(9), np.ones((1, 9)), row_lower=[1.0])
    for write, path in ((kt.write_mps, tmp_path / "a.mps"), (kt.write_lp, tmp_path / "a.lp")):
        names = write(lp, path, ["objective"], labels)
        assert len(set(names.columns)) == 9
        assert names.columns[0] == "steel"
        assert names.columns[2] == "steel_2"  # legal as it is, so the other one moves
        assert names.rows != ["objective"]
        assert sorted(read(path, names.columns)["c"]) == [1.0] * 9
        with open(path.with_name(path.name + ".names.csv"), encoding="utf-8") as table:
            listed = {(kind, name): label for kind, name, label in list(csv.reader(table))[1:]}
        assert all(listed.get(("column", n), n) == label for n, label in zip(names.columns, labels, strict=True))
        write(lp, path, ["need"], [f"c{j}" for j in range(9)])
        assert not path.with_name(path.name + ".names.csv").exists()
    assert (lp_name("st"), lp_name("1a"), mps_name("* a")) == ("_st", "_1a", "_*_a")


def test_what_the_files_cannot_hold_is_refused(tmp_path: Path) -> None:
    lp = kt.LinearProgram([1.0], [[1.0]])
    with pytest.raises(ProblemError, match=r"ending in \.mps"):
        kt.write_mps(lp, tmp_path / "a.txt")
    with pytest.raises(ProblemError, match="2 labels for 1 columns"):
        kt.write_mps(lp, tmp_path / "a.mps", columns=["a", "b"])
    eco = kt.load_economy("eu_2006")
    with pytest.raises(ProblemError, match="harmony is not linear"):
        kt.Plan(eco, objective=kt.Harmony(), limits={"labour": "90%"}).write_mps(tmp_path / "a.mps")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("suffix", [".mps", ".lp"])
@pytest.mark.parametrize("objective", [kt.MaxScale(), kt.MinimiseUse("ghg"), kt.Maximise("value_added")], ids=str)
def test_the_optimum_of_the_model_is_that_of_the_plan(tmp_path: Path, suffix: str, objective: kt.MaxScale) -> None:
    eco = kt.load_economy("us_2012")
    limits = {"labour": "102%", "ghg": kt.Limit(at_most="101%", at_least="1%")}
    targets = eco.demand("total").clip(lower=0.0)
    plan = kt.Plan(eco, targets=targets, objective=objective, limits=limits)
    result = plan.solve(1e-9)
    path = tmp_path / f"plan{suffix}"
    (plan.write_lp if suffix == ".lp" else plan.write_mps)(path)
    solver = highspy.Highs()
    solver.setOptionValue("output_flag", False)
    solver.setOptionValue("small_matrix_value", 1e-12)
    solver.readModel(str(path))
    solver.run()
    assert solver.getInfo().objective_function_value == pytest.approx(result.objective, rel=1e-6)
    assert {"labour", "ghg"} <= set(solver.getLp().row_names_)


def test_supplies_from_outside_and_years_are_in_the_model(tmp_path: Path) -> None:
    eco = kt.load_economy("eu_2006")
    plan = kt.Plan(eco, limits={"labour": "90%"}, horizon=kt.Horizon(years=2, first=2027))
    plan.write_mps(tmp_path / "years.mps")
    model = kt.read_mps(tmp_path / "years.mps")
    assert kt.solve_lp(model).objective == pytest.approx(plan.solve().objective, rel=1e-6)
    names = pd.read_csv(tmp_path / "years.mps.names.csv")
    assert names["label"].str.startswith("2027 / run / ").any()


def test_solvers_print_nothing_to_standard_output(tmp_path: Path) -> None:
    kt.write_mps(kt.LinearProgram([1.0], [[1.0]], row_lower=[2.0]), tmp_path / "a.mps")
    command = [sys.executable, "-m", "kantor", "lp", str(tmp_path / "a.mps"), "--json"]
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    assert run.stdout.startswith("{")
    assert run.stdout.count("\n") == 1
