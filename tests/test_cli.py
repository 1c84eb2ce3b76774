"""The command line: what it prints, where, and with which exit code; and every kind of bad input."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from kantor.cli import app, console
from kantor.solvers.solution import Status

SECTORS = ["wheat", "cloth", "iron"]
FLOWS = [[10.0, 5.0, 4.0], [6.0, 2.0, 3.0], [8.0, 7.0, 9.0]]
DEMAND = [30.0, 20.0, 10.0]
HOURS = [20.0, 12.0, 16.0]
SCENARIO = """
[economy]
source = "{source}"
[objective]
kind = "{kind}"
[limits.hours]
at_most = "{at_most}"
"""


def kantor(*arguments: object) -> Any:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def frame(values: Any, rows: list[str], columns: list[str]) -> pd.DataFrame:
    return pd.DataFrame(values, pd.Index(rows, name="sector"), columns)


class Table:
    """An economy folder that a test may damage before it is written."""

    def __init__(self) -> None:
        self.Z = frame(FLOWS, SECTORS, SECTORS)
        self.Y = frame(np.array(DEMAND)[:, None], SECTORS, ["final"])
        self.F = pd.DataFrame([HOURS], pd.Index(["hours"], name="resource"), SECTORS)
        self.suffix = "csv"

    def write(self, folder: Path) -> Path:
        folder.mkdir()
        for name in ("Z", "Y", "F"):
            table = getattr(self, name)
            table.to_csv(folder / f"{name}.csv") if self.suffix == "csv" else table.to_parquet(
                folder / f"{name}.parquet"
            )
        lines = [f'{name} = "{name}.{self.suffix}"' for name in ("Z", "Y", "F")]
        (folder / "economy.toml").write_text("\n".join(['kind = "iot"', 'name = "village"', "[tables]", *lines]) + "\n")
        return folder


@pytest.fixture
def scenario(tmp_path: Path) -> Callable[..., Path]:
    """A function that writes a small economy and a scenario for it, and returns the scenario's path."""

    def make(table: Table | None = None, text: str = SCENARIO, **words: str) -> Path:
        words = {"kind": "max-scale", "at_most": "90%", "source": "village", **words}
        if not (tmp_path / "village").exists():
            (table or Table()).write(tmp_path / "village")
        file = tmp_path / "scenario.toml"
        file.write_text(text.format(**words))
        return file

    return make


def refused(arguments: list[object], *culprits: str, out: Path | None = None) -> None:
    """The command ends with 2, says why on standard error and as one JSON object, and writes nothing."""
    before = None if out is None else sorted(out.parent.iterdir()) if out.parent.is_dir() else []
    result = kantor(*arguments)
    assert result.exit_code == 2, result.output
    assert result.stdout == ""
    for culprit in culprits:
        assert culprit in result.stderr, f"{culprit!r} is not named in: {result.stderr}"
    assert "Traceback" not in result.stderr
    as_json = kantor(*arguments, "--json")
    assert as_json.exit_code == 2
    error = json.loads(as_json.stdout)["error"]
    assert set(error) == {"type", "message"}
    for culprit in culprits:
        assert culprit in error["message"]
    if out is not None:
        assert not out.exists()
        assert before == (sorted(out.parent.iterdir()) if out.parent.is_dir() else [])


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
    assert {"backend", "machine", "bandwidth_gb_s", "cases"} <= set(facts)
    assert all(case["pdhg iteration"]["seconds"] > 0 for case in facts["cases"])


# ---- bad input ------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_not_a_number_in_a_table(scenario: Callable[..., Path], tmp_path: Path, value: float) -> None:
    table = Table()
    table.Z.loc["cloth", "iron"] = value
    refused(["plan", scenario(table), "-o", tmp_path / "plan"], "cloth", "iron", out=tmp_path / "plan")
    refused(["check", tmp_path / "village"], "cloth", "iron")


def test_mismatched_labels(scenario: Callable[..., Path], tmp_path: Path) -> None:
    table = Table()
    table.Y = table.Y.rename(index={"cloth": "clooth"})
    refused(["plan", scenario(table), "-o", tmp_path / "plan"], "clooth", out=tmp_path / "plan")


def test_unknown_indicator_with_the_nearest_name(scenario: Callable[..., Path], tmp_path: Path) -> None:
    file = scenario(text=SCENARIO.replace("[limits.hours]", "[limits.huors]"))
    refused(["plan", file, "-o", tmp_path / "plan"], "huors", "did you mean 'hours'", out=tmp_path / "plan")


def test_lower_above_upper(scenario: Callable[..., Path], tmp_path: Path) -> None:
    file = scenario(text=SCENARIO + 'at_least = "95%"\n')
    refused(["plan", file, "-o", tmp_path / "plan"], "hours", "at_least", "exceeds", out=tmp_path / "plan")


def test_empty_table(scenario: Callable[..., Path], tmp_path: Path) -> None:
    table = Table()
    table.Z, table.Y, table.F = table.Z.iloc[:0, :0], table.Y.iloc[:0], table.F.iloc[:, :0]
    refused(["plan", scenario(table), "-o", tmp_path / "plan"], "Z.csv", out=tmp_path / "plan")


def test_non_productive_economy_names_the_sectors(scenario: Callable[..., Path], tmp_path: Path) -> None:
    table = Table()
    table.Z.loc["wheat", "wheat"] = 100.0  # and others buy wheat: it needs more wheat than it makes
    table.Y.loc["wheat", "final"] = -60.0
    file = scenario(table, text=SCENARIO.replace("{at_most}", "90"))
    refused(["plan", file, "-o", tmp_path / "plan"], "wheat", out=tmp_path / "plan")


def test_misspelt_scenario_key(scenario: Callable[..., Path], tmp_path: Path) -> None:
    file = scenario(text=SCENARIO.replace("at_most", "at_mots", 1))
    refused(["plan", file, "-o", tmp_path / "plan"], "at_mots", "did you mean 'at_most'", out=tmp_path / "plan")


def test_truncated_parquet(scenario: Callable[..., Path], tmp_path: Path) -> None:
    table = Table()
    table.suffix = "parquet"
    file = scenario(table)
    path = tmp_path / "village" / "Z.parquet"
    path.write_bytes(path.read_bytes()[:-100])
    refused(["plan", file, "-o", tmp_path / "plan"], "Z.parquet", out=tmp_path / "plan")
    refused(["check", tmp_path / "village"], "Z.parquet")


def test_unwritable_output_folder(scenario: Callable[..., Path], tmp_path: Path) -> None:
    file = scenario()
    blocked = tmp_path / "a file"
    blocked.write_text("mine")
    refused(["plan", file, "-o", blocked / "plan"], "a file")
    refused(["plan", file, "-o", blocked], "a file")
    assert blocked.read_text() == "mine"
    foreign = tmp_path / "letters"
    foreign.mkdir()
    (foreign / "letter.txt").write_text("dear")
    refused(["plan", file, "-o", foreign], "letter.txt")
    assert [entry.name for entry in foreign.iterdir()] == ["letter.txt"]


def test_truncated_plan_folder(scenario: Callable[..., Path], tmp_path: Path) -> None:
    out = tmp_path / "plan"
    assert kantor("plan", scenario(), "-o", out, "--quiet").exit_code == 0
    (out / "plan.json").write_text((out / "plan.json").read_text()[:100])
    refused(["verify", out], "plan.json")
    assert kantor("report", out).exit_code == 2
    assert not (out / "report.html").exists()


@pytest.mark.parametrize(
    ("arguments", "culprits"),
    [
        (["plan", "nowhere.toml", "-o", "plan"], ["nowhere.toml"]),
        (["plan", "us_2102", "-o", "plan"], ["us_2102", "did you mean 'us_2012'"]),
        (["plan", "eu_2006", "-o", "plan", "--backend", "nativ"], ["nativ", "did you mean 'native'"]),
        (["plan", "eu_2006", "-o", "plan", "--method", "magic"], ["magic"]),
        (["plan", "eu_2006", "-o", "plan", "--tolerance", "-1"], ["tolerance", "-1"]),
        (["plan", "eu_2006", "-o", "plan", "--time-limit", "0"], ["time_limit"]),
        (["plan", "eu_2006", "-o", "plan", "--tolerance", "small"], ["--tolerance"]),
        (["plan", "eu_2006"], ["--out"]),
        (["check", "eu_2016"], ["eu_2016", "did you mean 'eu_2006'"]),
        (["check", "eu_2006", "--year", "2007"], ["year"]),
        (["balance", "eu_2006", "--demand", "totle"], ["totle", "did you mean 'total'"]),
        (["balance", "eu_2006", "--csv", "no/such/folder/all.csv"], ["all.csv"]),
        (["values", "eu_2006", "--by", "labor"], ["labor", "did you mean 'labour'"]),
        (["lp", "nowhere.mps"], ["nowhere.mps"]),
        (["verify", "nowhere"], ["nowhere"]),
        (["check", "eu_2006", "--with", "demand"], ["demand"]),
        (["bench", "kernles"], ["kernles", "did you mean 'kernels'"]),
    ],
)
def test_wrong_arguments(
    arguments: list[object], culprits: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    refused(arguments, *culprits)
    assert list(tmp_path.iterdir()) == []


def test_unknown_command_suggests_the_nearest() -> None:
    result = kantor("plna")
    assert result.exit_code == 2
    assert "plan" in result.stderr


def test_unexpected_error_is_one_and_still_one_json_object(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> None:
        raise RuntimeError("boom")

    monkeypatch.setattr("kantor.config.show_config", broken)
    result = kantor("info", "--json")
    assert result.exit_code == 1
    assert json.loads(result.stdout)["error"] == {"type": "RuntimeError", "message": result.stderr.splitlines()[-1][8:]}
    assert "boom" in result.stderr


def test_file_system_errors_are_bad_input(monkeypatch: pytest.MonkeyPatch) -> None:
    def denied() -> None:
        raise PermissionError(13, "Permission denied", "/sealed")

    monkeypatch.setattr("kantor.config.show_config", denied)
    result = kantor("info", "--json")
    assert result.exit_code == 2
    assert "/sealed" in json.loads(result.stdout)["error"]["message"]


# ---- the real program -----------------------------------------------------------------------------------------------
def run(*arguments: object, **options: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "kantor", *map(str, arguments)], capture_output=True, text=True, check=False, **options
    )


def test_program_keeps_standard_output_pure(tmp_path: Path) -> None:
    result = run("plan", "eu_2006", "-o", tmp_path / "plan", "--json")
    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout)["status"] == "optimal"
    assert "\x1b" not in result.stdout + result.stderr
    assert run("verify", tmp_path / "plan").returncode == 0


@pytest.mark.skipif(os.name != "posix", reason="needs POSIX signals")
def test_interrupt_writes_the_best_plan_and_exits_with_130(tmp_path: Path) -> None:
    """Ctrl-C during the solve: the best point so far is certified and written."""
    out = tmp_path / "plan"
    code = (
        "import os, signal, sys\n"
        "from kantor.solvers import pdhg\n"
        "report = pdhg.Pdhg._report\n"
        "def interrupt(self, residuals):\n"
        "    report(self, residuals)\n"
        "    if len(self.history) == 2: os.kill(os.getpid(), signal.SIGINT)\n"
        "pdhg.Pdhg._report = interrupt\n"
        "from kantor.cli import main\n"
        "main()\n"
    )
    arguments = ["plan", "eu_2006", "-o", str(out), "--json", "--method", "pdhg", "--tolerance", "1e-12"]
    result = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=False)
    assert result.returncode == 130, result.stderr
    facts = json.loads(result.stdout)
    assert facts["status"] == "interrupted"
    assert facts["lower_bound"] <= facts["upper_bound"]
    assert run("verify", out).returncode == 0
