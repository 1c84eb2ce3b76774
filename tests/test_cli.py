"""The command line: what it prints, where, and with which exit code."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from kantor.cli import console
from kantor.solvers.solution import Status
from villages import DEMAND, FLOWS, HOURS, SCENARIO, SECTORS, Table, kantor


# ---- plan, verify, report -------------------------------------------------------------------------------------------
def test_plan_verify_report(scenario: Callable[..., Path], tmp_path: Path) -> None:
    out = tmp_path / "plan"
    made = kantor("plan", scenario(), "-o", out, "--report")
    assert made.exit_code == 0, made.output
    assert "optimal" in made.stdout
    assert "hours" in made.stdout
    assert str(out) in made.stderr
    assert (out / "report.html").is_file()
    checked = kantor("verify", out)
    assert checked.exit_code == 0, checked.output
    again = kantor("report", out, "-o", tmp_path / "again.html")
    assert again.exit_code == 0
    assert (tmp_path / "again.html").read_bytes() == (out / "report.html").read_bytes()


def test_report_as_json(scenario: Callable[..., Path], tmp_path: Path) -> None:
    assert kantor("plan", scenario(), "-o", tmp_path / "plan").exit_code == 0
    result = kantor("report", tmp_path / "plan", "--json")
    assert result.exit_code == 0
    facts = json.loads(result.stdout)
    assert Path(facts["report"]).stat().st_size == facts["bytes"]


def test_plan_prints_one_json_object_with_the_promised_keys(scenario: Callable[..., Path], tmp_path: Path) -> None:
    result = kantor("plan", scenario(), "-o", tmp_path / "plan", "--json")
    assert result.exit_code == 0
    assert result.stdout.count("\n") == 1
    facts = json.loads(result.stdout, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))
    residuals = {"primal_residual", "dual_residual"}
    bounds = {"objective", "lower_bound", "upper_bound", "gap"}
    assert {"status", "iterations", "method", "why", "backend", "seconds"} | residuals | bounds <= set(facts)
    assert facts["status"] == "optimal"
    assert facts["lower_bound"] <= 0.9 <= facts["upper_bound"]
    assert facts["gap"] <= 1e-6
    assert facts["seconds"]["total"] > 0


def test_a_vertex_is_printed(scenario: Callable[..., Path], tmp_path: Path) -> None:
    made = kantor("plan", scenario(), "-o", tmp_path / "plan", "--vertex")
    assert made.exit_code == 0, made.output
    lines = [line for line in made.stdout.splitlines() if line.startswith("vertex ")]
    assert "confirmed in rational arithmetic" in lines[0]
    assert f"a basis of {len(SECTORS) + 1}" in lines[1]
    assert "the scale" in lines[1]
    assert "1 limit and 0 capacities bind" in lines[1]
    assert "only optimal ones" in lines[2]
    assert not any(
        line.startswith("vertex ") for line in kantor("plan", scenario(), "-o", tmp_path / "b").stdout.splitlines()
    )


def test_options_override_the_file(scenario: Callable[..., Path], tmp_path: Path) -> None:
    result = kantor(
        "plan", scenario(), "-o", tmp_path / "plan", "--json", "--tolerance", "1e-4", "--backend", "reference"
    )
    facts = json.loads(result.stdout)
    assert facts["tolerance"] == 1e-4
    assert facts["backend"] == "reference"


def test_verify_fails_on_a_changed_plan(scenario: Callable[..., Path], tmp_path: Path) -> None:
    out = tmp_path / "plan"
    assert kantor("plan", scenario(), "-o", out, "--quiet").exit_code == 0
    table = pd.read_parquet(out / "activity.parquet")
    table["activity"] *= 1.5
    table.to_parquet(out / "activity.parquet")
    result = kantor("verify", out, "--json")
    assert result.exit_code == 1
    facts = json.loads(result.stdout)
    assert facts["ok"] is False
    assert any("activity.parquet" in reason for reason in facts["reasons"])


def test_quiet_says_nothing_on_standard_error(scenario: Callable[..., Path], tmp_path: Path) -> None:
    result = kantor("plan", scenario(), "-o", tmp_path / "plan", "--quiet")
    assert result.exit_code == 0
    assert result.stderr == ""


def test_infeasible_plan_exits_with_three_and_says_why(scenario: Callable[..., Path], tmp_path: Path) -> None:
    text = SCENARIO + '[solve]\nmethod = "auto"\n'
    file = scenario(text=text.replace('kind = "{kind}"', 'kind = "minimise-use"\nindicator = "hours"'), at_most="50%")
    result = kantor("plan", file, "-o", tmp_path / "plan")
    assert result.exit_code == 3, result.output
    assert "infeasible" in result.stdout
    assert "hours" in result.stdout
    as_json = kantor("plan", file, "-o", tmp_path / "plan2", "--json")
    assert as_json.exit_code == 3
    facts = json.loads(as_json.stdout)
    assert facts["status"] == "primal infeasible"
    assert any("hours" in line for line in facts["diagnosis"])
    assert kantor("verify", tmp_path / "plan2").exit_code == 0


def test_iteration_limit_exits_with_four_and_writes_the_best_plan(tmp_path: Path) -> None:
    out = tmp_path / "plan"
    result = kantor(
        "plan", "eu_2006", "-o", out, "--json", "--method", "pdhg", "--iteration-limit", "3", "--tolerance", "1e-12"
    )
    assert result.exit_code == 4, result.output
    facts = json.loads(result.stdout)
    assert facts["status"] == "iteration limit"
    assert facts["lower_bound"] <= facts["upper_bound"]
    assert kantor("verify", out).exit_code == 0
    assert kantor("report", out).exit_code == 0


def test_every_status_has_its_exit_code() -> None:
    codes = {status: int(console.exit_code(status)) for status in Status}
    assert codes[Status.OPTIMAL] == 0
    assert codes[Status.PRIMAL_INFEASIBLE] == codes[Status.DUAL_INFEASIBLE] == 3
    assert codes[Status.ITERATION_LIMIT] == codes[Status.TIME_LIMIT] == 4
    assert codes[Status.INTERRUPTED] == 130
    assert codes[Status.NUMERICAL_ERROR] == 1


# ---- tables, programmes, installation -------------------------------------------------------------------------------
def test_check_reports_and_is_strict_on_request(tmp_path: Path) -> None:
    folder = Table().write(tmp_path / "good")
    assert kantor("check", folder, "--strict").exit_code == 0
    table = Table()
    table.Y.iloc[1, 0] += 40.0
    (tmp_path / "bad").mkdir()
    folder = table.write(tmp_path / "bad" / "village")
    (folder / "x.csv").write_text(
        "sector,x\n" + "\n".join(f"{s},{v}" for s, v in zip(SECTORS, (49, 31, 34), strict=True))
    )
    (folder / "economy.toml").write_text((folder / "economy.toml").read_text() + 'x = "x.csv"\n')
    shown = kantor("check", folder)
    assert shown.exit_code == 0, shown.output
    assert "NOT BALANCED" in shown.stdout
    strict = kantor("check", folder, "--strict", "--json")
    assert strict.exit_code == 2
    assert json.loads(strict.stdout)["balanced"] is False


def test_balance_delivers_the_demand(tmp_path: Path) -> None:
    folder = Table().write(tmp_path / "village")
    result = kantor("balance", folder, "--json", "--csv", tmp_path / "all.csv", "--parquet", tmp_path / "all.parquet")
    assert result.exit_code == 0, result.output
    facts = json.loads(result.stdout)
    rows = pd.read_csv(tmp_path / "all.csv", index_col=0)
    # the demand of the table itself needs its own output and work
    np.testing.assert_allclose(rows["gross_output"], np.sum(FLOWS, axis=1) + DEMAND, rtol=1e-9)
    np.testing.assert_allclose(rows["footprint hours"].sum(), sum(HOURS), rtol=1e-9)
    assert facts["use"]["hours"] == pytest.approx(sum(HOURS), rel=1e-9)
    pd.testing.assert_frame_equal(
        rows, pd.read_parquet(tmp_path / "all.parquet"), check_exact=False, check_index_type=False
    )
    table = kantor("balance", folder, "--top", "2")
    assert "footprints of hours" in table.stdout


def test_values_are_those_of_the_formula(tmp_path: Path) -> None:
    folder = Table().write(tmp_path / "village")
    result = kantor("values", folder, "--by", "hours", "--json")
    assert result.exit_code == 0, result.output
    x = np.sum(FLOWS, axis=1) + DEMAND
    A, l = np.array(FLOWS) / x, np.array(HOURS) / x  # noqa: E741
    expected = np.linalg.solve(np.eye(3) - A.T, l)
    got = json.loads(result.stdout)["values"]
    np.testing.assert_allclose([got[s] for s in SECTORS], expected, rtol=1e-9)
    assert "wheat" in kantor("values", folder, "--by", "hours").stdout


TINY = "NAME tiny\nROWS\n N cost\n G need\nCOLUMNS\n x cost 2 need 1\nRHS\n RHS need 3\nENDATA\n"


def test_lp(tmp_path: Path) -> None:
    file = tmp_path / "tiny.mps"
    file.write_text(TINY)
    result = kantor("lp", file, "--json", "-o", tmp_path / "solution.npz")
    assert result.exit_code == 0, result.output
    facts = json.loads(result.stdout)
    assert facts["objective"] == pytest.approx(6.0, rel=1e-5)
    assert facts["rechecked"]["ok"] is True
    with np.load(tmp_path / "solution.npz") as solution:
        np.testing.assert_allclose(solution["x"], [3.0], rtol=1e-5)
        assert str(solution["status"]) == "optimal"
    assert "optimal" in kantor("lp", file).stdout
    file.write_text(TINY.replace(" G need", " G need\n L most").replace("need 1\n", "need 1\n x most 1\n").replace(
        "need 3", "need 3 most 1"))  # fmt: skip
    assert kantor("lp", file).exit_code == 3
    infeasible = kantor("lp", file, "--json")
    assert infeasible.exit_code == 3
    facts = json.loads(infeasible.stdout, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))
    assert facts["objective"] is None


def test_info() -> None:
    result = kantor("info", "--json")
    assert result.exit_code == 0
    assert "backends" in json.loads(result.stdout)
    assert "backends: reference" in kantor("info").stdout


def test_bench_runs_on_a_small_case() -> None:
    result = kantor("bench", "kernels", "--rows", "2000", "--repeats", "1", "--json")
    assert result.exit_code == 0, result.output
    facts = json.loads(result.stdout)
    assert {"backend", "machine", "cases"} <= set(facts)
    assert all(case["bandwidth_gb_s"] > 0 for case in facts["cases"])
    assert all(case["pdhg iteration"]["seconds"] > 0 for case in facts["cases"])
