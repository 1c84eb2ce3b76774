"""The command line and bad input: exit code 2, one message that names the culprit, nothing written."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from villages import SCENARIO, Table, kantor, refused


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
        (["values", "eu_2006", "--by", "labuor"], ["labuor", "did you mean 'labour'"]),
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


def test_a_checkpoint_inside_the_plan_folder_is_refused_before_any_work(
    scenario: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*_: object, **__: object) -> None:
        raise AssertionError("the plan was built")

    monkeypatch.setattr("kantor.planning.scenario.build", never)
    plan = tmp_path / "plan"
    refused(["plan", scenario(), "-o", plan, "--checkpoint", plan / "state"], "--checkpoint", "name another folder")
    assert not plan.exists()


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


def test_outputs_never_replace_inputs(scenario: Callable[..., Path], tmp_path: Path) -> None:
    """A slip of the hand in -o or --csv costs no table."""
    file = scenario()
    table = tmp_path / "village" / "Z.csv"
    before = table.read_bytes()
    refused(["balance", tmp_path / "village", "--csv", table], "Z.csv", "was read")
    refused(["values", tmp_path / "village", "--by", "hours", "--csv", table], "Z.csv", "was read")
    assert table.read_bytes() == before
    assert kantor("plan", file, "-o", tmp_path / "plan").exit_code == 0
    prices = tmp_path / "plan" / "prices.parquet"
    refused(["report", tmp_path / "plan", "-o", prices], "prices.parquet", ".html")
    assert kantor("verify", tmp_path / "plan").exit_code == 0


def test_an_endless_time_limit_is_none(scenario: Callable[..., Path], tmp_path: Path) -> None:
    result = kantor("plan", scenario(), "-o", tmp_path / "plan", "--time-limit", "inf")
    assert result.exit_code == 0, result.stderr


@pytest.mark.parametrize("value", [None, 5, "x", [], {}])
@pytest.mark.parametrize("key", ["scenario", "inputs", "certificate", "options", "tables", "solve", "objective"])
def test_plan_json_of_another_shape(scenario: Callable[..., Path], tmp_path: Path, key: str, value: object) -> None:
    assert kantor("plan", scenario(), "-o", tmp_path / "plan").exit_code == 0
    record = json.loads((tmp_path / "plan" / "plan.json").read_text())
    (tmp_path / "plan" / "plan.json").write_text(json.dumps(record | {key: value}))
    for command, codes in (("verify", {1}), ("report", {0, 2})):
        result = kantor(command, tmp_path / "plan")
        assert result.exit_code in codes
        assert "unexpected" not in result.stderr
