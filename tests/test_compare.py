"""kantor compare: two plans side by side, on the command line and in Python."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

import kantor as kt
import plan_folders
from kantor.cli.app import app
from kantor.errors import ProblemError
from kantor.planning.result import PlanResult


def two_plans(**second: Any) -> tuple[PlanResult, PlanResult]:
    eco = plan_folders.economy()
    plans = ({"limits": {"HOURS": "90%", "CO2": "95%"}}, {"limits": {"HOURS": "99%", "CO2": "95%"}} | second)
    one, other = (kt.Plan(eco, **options).solve(1e-9) for options in plans)
    return one, other


def test_what_moved_and_by_how_much() -> None:
    one, other = two_plans()
    found = kt.compare_plans(one, other)
    assert found.better is True
    assert kt.compare_plans(other, one).better is False
    assert found.objective.loc["objective"].tolist() == [one.objective, other.objective]
    move = other.activity - one.activity
    assert found.activity["change"].abs().is_monotonic_decreasing
    for label, change in found.activity["change"].items():
        assert change == pytest.approx(move[label])
    assert len(found.activity) == 3
    assert found.limits.loc["HOURS", "bound_second"] == pytest.approx(1.1 * found.limits.loc["HOURS", "bound_first"])
    assert found.limits.loc["HOURS", "rent_first"] > 0 == found.limits.loc["HOURS", "rent_second"]
    assert found.notes == []


def test_a_plan_is_as_good_as_itself() -> None:
    one, _ = two_plans()
    found = kt.compare_plans(one, one)
    assert found.better is None
    assert found.activity.empty
    assert found.prices.empty


def test_another_objective_and_a_limit_of_one_plan_only() -> None:
    one, other = two_plans(objective=kt.Harmony(), limits={"HOURS": "90%"})
    found = kt.compare_plans(one, other)
    assert found.better is None
    assert "differ in kind" in found.notes[0]
    assert np.isnan(found.limits.loc["CO2", "use_second"])


def test_nothing_in_common() -> None:
    other = kt.Plan(plan_folders.two_ways(), [2.0], limits={"labour": 1.0}).solve()
    with pytest.raises(ProblemError, match="no technique in common"):
        kt.compare_plans(two_plans()[0], other)


def test_the_command(tmp_path: Path) -> None:
    for name, result in zip("ab", two_plans(), strict=True):
        result.save(tmp_path / name)
    run = CliRunner().invoke(app, ["compare", str(tmp_path / "a"), str(tmp_path / "b")])
    assert run.exit_code == 0, run.output
    assert "the second is better, proved" in run.stdout
    assert "Activity that moved most" in run.stdout
    run = CliRunner().invoke(app, ["compare", str(tmp_path / "a"), str(tmp_path / "b"), "--json"])
    facts = json.loads(run.stdout)
    assert facts["better"] is True
    assert facts["limits"]["HOURS"]["rent_first"] > 0
    assert {row["label"] for row in facts["activity"]} == set(plan_folders.GOODS)
    assert CliRunner().invoke(app, ["compare", str(tmp_path / "a"), str(tmp_path / "none")]).exit_code == 2


def test_the_command_shows_the_names_of_products(tmp_path: Path) -> None:
    eco = plan_folders.economy()
    eco = eco.replace(product_names=pd.Series([f"fine {label}" for label in eco.products], eco.products))
    for folder, bound in (("a", "90%"), ("b", "95%")):
        kt.Plan(eco, limits={"HOURS": bound}).solve().save(tmp_path / folder)
    said = CliRunner().invoke(app, ["compare", str(tmp_path / "a"), str(tmp_path / "b"), "--top", "3"]).stdout
    code = str(kt.compare_plans(*(kt.load_plan(tmp_path / f) for f in "ab")).activity.index[0])
    assert f"{eco.product_names[code]} ({code})" in said
