"""Sums, orders of priority and soft limits in scenario files: the plan of Python, verified folders, replanning."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import kantor as kt
import plan_folders
from kantor.data.saved import save_economy
from kantor.errors import ProblemError
from kantor.feedback.replan import Replanner
from kantor.feedback.stored import open_plan
from kantor.planning.record import read_record
from kantor.planning.scenario import build, load_scenario, parse_scenario
from kantor.planning.verify import verify_plan
from test_combined import NET, USE, Y, ways

HEAD = '[economy]\nsource = "small"\n[targets]\nfinal_demand = "targets.csv"\n'
ORDER = """
[objective]
kind = "lexicographic"
slack = 1e-5
[[objective.objectives]]
kind = "max-scale"
[[objective.objectives]]
kind = "minimise-use"
indicator = "HOURS"
"""


@pytest.fixture
def place(tmp_path: Path) -> Path:
    save_economy(ways(), tmp_path / "small")
    rows = zip(["grain", "iron", "cloth"], Y.tolist(), strict=True)
    (tmp_path / "targets.csv").write_text("product,amount\n" + "".join(f"{g},{v}\n" for g, v in rows))
    (tmp_path / "weights.csv").write_text("product,weight\niron,3\n")
    return tmp_path


def plan(place: Path, text: str) -> kt.Plan:
    (place / "scenario.toml").write_text(HEAD + text)
    return build(load_scenario(place / "scenario.toml"))


def held(result: kt.PlanResult, folder: Path) -> Path:
    saved = result.save(folder)
    found = verify_plan(saved)
    assert found.ok, str(found)
    return saved


# Each with the same plan made in Python; a plan over years, sums in orders, utilities held, aliases and lists of names.
FORMS = {
    "order": (ORDER + "[limits]\nCO2 = 60.0\n", kt.Lexicographic([kt.MaxScale(), kt.MinimiseUse("HOURS")], 1e-5)),
    "sum": (
        '[objective]\nkind = "weighted-sum"\n[[objective.objectives]]\nkind = "max-scale"\nweight = 200\n'
        '[[objective.objectives]]\nkind = "minimise-use"\nindicator = "HOURS"\nweight = 0.5\n[limits]\nCO2 = 60.0\n',
        kt.WeightedSum([kt.MaxScale(), kt.MinimiseUse("HOURS")], [200.0, 0.5]),
    ),
    "maximise": (
        '[objective]\nkind = "maximise-use"\nindicator = "HOURS"\n[limits]\nCO2 = 100.0\n',
        kt.Maximise("HOURS"),
    ),
    "new harmony": (
        '[objective]\nkind = "new-harmony"\nweights = "weights.csv"\n[limits]\nCO2 = 60.0\nHOURS = 250.0\n',
        kt.NewHarmony(weights={"iron": 3.0}),
    ),
    "utility between": (
        '[objective]\nkind = "lexicographic"\nslack = 1e-4\n[[objective.objectives]]\nkind = "max-scale"\n'
        '[[objective.objectives]]\nkind = "log"\nweights = {iron = 2.0}\n'
        '[[objective.objectives]]\nkind = "minimise-use"\nindicator = "HOURS"\n[limits]\nCO2 = 60.0\nHOURS = 250.0\n',
        kt.Lexicographic([kt.MaxScale(), kt.LogUtility(weights={"iron": 2.0}), kt.MinimiseUse("HOURS")], 1e-4),
    ),
    "sum before": (
        '[objective]\nkind = "lexicographic"\nslack = 1e-5\n[[objective.objectives]]\nkind = "weighted-sum"\n'
        '[[objective.objectives.objectives]]\nkind = "max-scale"\nweight = 200.0\n'
        '[[objective.objectives.objectives]]\nkind = "minimise-use"\nindicator = "HOURS"\nweight = 0.5\n'
        '[[objective.objectives]]\nkind = "minimise-use"\nindicator = "CO2"\n[limits]\nCO2 = 60.0\n',
        kt.Lexicographic(
            [kt.WeightedSum([kt.MaxScale(), kt.MinimiseUse("HOURS")], [200.0, 0.5]), kt.MinimiseUse("CO2")], 1e-5
        ),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", list(FORMS))
def test_the_file_says_what_python_says_and_is_verified(place: Path, name: str) -> None:
    text, objective = FORMS[name]
    written = plan(place, text)
    limits = {limit.name: limit.upper for limit in written.limits if limit.name in ("CO2", "HOURS")}
    made = kt.Plan(ways(), Y, objective, limits=limits)
    one, other = written.solve(1e-7), made.solve(1e-7)
    assert one.status is kt.Status.OPTIMAL
    assert one.objective == pytest.approx(other.objective, rel=2e-6)
    folder = held(one, place / "plan")
    held(other, place / "python")
    back = kt.load_plan(folder)
    assert [stage.objective for stage in back.stages] == [stage.objective for stage in one.stages]
    again = open_plan(folder)
    assert again.plan is not None
    assert again.plan.economy.techniques.equals(one.activity.index)


def test_a_utility_in_the_middle_is_held_where_it_draws(place: Path) -> None:
    """Its consumption stands at goods of its own; held at the products it would be zero, and hold nothing."""
    result = plan(place, FORMS["utility between"][0]).solve(1e-7)
    first, second = result.stages
    goods = second.consumption.index
    wanted = second.consumption.to_numpy()[[list(goods).index(f"{g} for log 1") for g in ("grain", "iron", "cloth")]]
    assert (wanted > 0).all()
    assert (NET @ result.activity.to_numpy()[:6] >= wanted * (1 - 2e-4)).all()
    assert (wanted >= first.objective * Y * (1 - 2e-4)).all()


def test_a_utility_over_years_is_held_in_every_year(place: Path) -> None:
    text = (
        '[objective]\nkind = "lexicographic"\nslack = 1e-4\n[[objective.objectives]]\nkind = "harmony"\n'
        'weights = "weights.csv"\n[[objective.objectives]]\nkind = "minimise-use"\nindicator = "CO2"\n'
        "[horizon]\nyears = 3\nfirst = 2030\ngrowth = 0.1\ndiscount = 0.05\n[limits]\nHOURS = 250.0\n"
    )
    result = plan(place, text).solve(1e-6)
    assert result.status is kt.Status.OPTIMAL
    x = result.activity.to_numpy()[:18].reshape(3, 6)
    assert result.stages[0].consumption.size == 9
    first = result.stages[0].consumption.to_numpy().reshape(3, 3)
    assert (x @ NET.T >= first * (1 - 2e-4)).all()
    held(result, place / "plan")


SOFT = "[limits.CO2]\nat_most = 30.0\nsoft = {price}\n"


@pytest.mark.parametrize(("price", "broken"), [(0.01, True), (1e4, False)])
def test_a_soft_limit(place: Path, price: float, broken: bool) -> None:
    text = f'[objective]\nkind = "minimise-use"\nindicator = "HOURS"\n[limits.CO2]\nat_most = 25.0\nsoft = {price}\n'
    written = plan(place, text)
    made = kt.Plan(ways(), Y, kt.MinimiseUse("HOURS"), limits={"CO2": kt.Limit(at_most=25.0, soft=price)})
    one, other = written.solve(1e-8), made.solve(1e-8)
    assert one.objective == pytest.approx(other.objective, rel=1e-7)
    assert (one.activity["exceed CO2"] > 1.0) == broken
    held(one, place / "plan")


def test_soft_limits_over_years_in_percent_and_in_total(place: Path) -> None:
    text = (
        "[horizon]\nyears = 2\nfirst = 2030\n[limits.HOURS]\nat_most = '90%'\nsoft = 0.001\n"
        "[limits.air]\nindicator = 'CO2'\nat_most = '95%'\nover = 'total'\nsoft = 0.002\n"
        "[limits.most]\nindicator = 'HOURS'\nat_most = '150%'\n"
    )
    result = plan(place, text).solve(1e-7)
    assert result.status is kt.Status.OPTIMAL
    assert result.activity.filter(like="exceed").size == 3
    held(result, place / "plan")


def test_in_an_order_the_first_objective_pays_for_what_gives_way(place: Path) -> None:
    """Afterwards scale less penalties is held, and least hours is bare: it does not pay in hours for carbon."""
    text = ORDER + "[limits.CO2]\nat_most = 50.0\nsoft = 0.01\n[limits.HOURS]\nat_most = 250.0\n"
    result = plan(place, text).solve(1e-7)
    first = result.stages[0]
    net = result.activity["deliver for objective 1"] - 0.01 * result.activity["exceed CO2"]
    assert first.activity["exceed CO2"] > 1.0
    assert net >= first.objective * (1 - 2e-5)
    assert result.objective == pytest.approx(USE[0] @ result.activity.to_numpy()[:6], rel=1e-6)
    held(result, place / "plan")


def test_steadiness_over_years(place: Path) -> None:
    text = (
        '[objective]\nkind = "weighted-sum"\n[[objective.objectives]]\nkind = "minimise-use"\nindicator = "HOURS"\n'
        '[[objective.objectives]]\nkind = "least-change"\nindicator = "HOURS"\nweight = 0.1\n'
        "[horizon]\nyears = 3\nfirst = 2030\ngrowth = -0.2\n"
    )
    result = plan(place, text).solve(1e-7)
    sums = kt.WeightedSum([kt.MinimiseUse("HOURS"), kt.LeastChange("HOURS")], [1.0, 0.1])
    made = kt.Plan(ways(), Y, sums, horizon=kt.Horizon(years=3, first=2030, growth=-0.2)).solve(1e-7)
    assert result.objective == pytest.approx(made.objective, rel=1e-6)
    held(result, place / "plan")


# ---- what verification finds -----------------------------------------------------------------------------------------
def test_a_changed_slack_price_or_held_value_is_found(place: Path) -> None:
    result = plan(place, ORDER + "[limits.CO2]\nat_most = 50.0\nsoft = 0.01\n[limits.HOURS]\nat_most = 250.0\n").solve()
    saved = held(result, place / "plan")

    def changed(table: str, change: Callable[[Any], object]) -> str:
        """What verification says of a folder changed so that everything in it fits together again."""
        copy = place / "copy"
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(saved, copy)
        record = read_record(copy)
        if table:
            limits = pd.read_parquet(copy / table)
            change(limits)
            limits.to_parquet(copy / table)
        else:
            change(record)
        plan_folders.reseal(copy, record)
        found = verify_plan(copy)
        assert not found.ok
        return " ".join(found.reasons)

    def dearer(record: dict[str, Any]) -> None:
        record["scenario"]["text"] = record["scenario"]["text"].replace("soft = 0.01", "soft = 0.02")
        record["scenario"]["document"]["limits"]["CO2"]["soft"] = 0.02

    def lower(limits: pd.DataFrame) -> None:
        limits.loc["objective 1", "at_least"] *= 0.5
        limits.loc["objective 1", "stated"] = json.dumps({"at_least": float(limits.loc["objective 1", "at_least"])})

    assert "another scenario" in changed("", dearer)
    assert "slack" in changed("", lambda record: record["order"].update(slack=1e-3))
    assert "order" in changed("", lambda record: record.update(order=None))
    assert changed("", lambda record: record["order"].update(number=1))
    assert "the plan before makes it" in changed("rents.parquet", lower)


# ---- replanning ------------------------------------------------------------------------------------------------------
def test_replanning_keeps_the_order_and_the_prices_of_soft_limits(place: Path) -> None:
    text = ORDER + "[limits.CO2]\nat_most = 50.0\nsoft = 0.01\n[limits.HOURS]\nat_most = 250.0\n"
    result = plan(place, text).solve(1e-7)
    folder = held(result, place / "plan")
    planner = Replanner(folder, tolerance=1e-7)
    again = planner.replan().result
    assert again.objective == pytest.approx(result.objective, rel=1e-5)
    assert [stage.objective for stage in again.stages] == pytest.approx([result.stages[0].objective], rel=1e-6)
    limits = planner.question.limits
    assert limits["CO2"].soft == 0.01
    (place / "more.toml").write_text("[target]\niron = '+10%'\n")
    more = Replanner(folder).replan(place / "more.toml").result
    assert more.stages[0].objective < result.stages[0].objective
    held(more, place / "next")


def test_replanning_over_years_keeps_soft_limits(place: Path) -> None:
    text = (
        "[horizon]\nyears = 2\nfirst = 2030\n[limits.HOURS]\nat_most = '90%'\nsoft = 0.001\n"
        "[limits.most]\nindicator = 'HOURS'\nat_most = 400.0\nover = 'total'\nsoft = 1.0\n"
    )
    result = plan(place, text).solve(1e-7)
    again = Replanner(held(result, place / "plan")).replan().result
    assert again.objective == pytest.approx(result.objective, rel=1e-5)


def test_sweep_over_the_price_of_a_soft_limit(place: Path) -> None:
    plan(place, '[objective]\nkind = "minimise-use"\nindicator = "HOURS"\n[limits.CO2]\nat_most = 25.0\nsoft = 1.0\n')
    table = kt.sweep(place / "scenario.toml", "limits.CO2.soft", [0.01, 0.1, 100.0])
    assert (table["status"] == "optimal").all()
    assert (np.diff(table["objective"]) > 0).all()


def test_plans_of_an_order_are_compared_by_the_first_objective_that_tells_them_apart(place: Path) -> None:
    """Fewer hours for less delivered is no better plan where delivery comes first."""
    more, less = (plan(place, ORDER + f"[limits]\nCO2 = {bound}\n").solve(1e-7) for bound in (60.0, 50.0))
    assert less.objective < more.objective
    assert kt.compare_plans(more, less).better is False
    assert kt.compare_plans(less, more).better is True
    assert kt.compare_plans(more, more).better is None
    assert any("last objective" in note for note in kt.compare_plans(more, less).notes)


# ---- what is refused -------------------------------------------------------------------------------------------------
MEMBER = "[[objective.objectives]]\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[objective]\nkind = 'lexicographic'\n", r"\[objective\] kind = 'lexicographic' needs objectives"),
        ("[objective]\nkind = 'lexicographic'\nobjectives = []\n", "needs objectives"),
        (f"[objective]\nkind = 'weighted-sum'\n{MEMBER}kind = 'harmony'\n", "number 1: kind = 'harmony' cannot stand"),
        (f"[objective]\nkind = 'lexicographic'\n{MEMBER}kind = 'max-scal'\n", "number 1: kind = 'max-scal' is unknown"),
        (f"[objective]\nkind = 'lexicographic'\n{MEMBER}indicator = 'HOURS'\n", "number 1: indicator does not apply"),
        (f"[objective]\nkind = 'lexicographic'\n{MEMBER}weight = 2.0\n", "number 1: weight is for the members of a"),
        (f"[objective]\nkind = 'weighted-sum'\n{MEMBER}weight = 0.0\n", "number 1: weight = 0.0, expected"),
        (f"[objective]\nkind = 'lexicographic'\n{MEMBER}each = 'year'\n", "number 1: each does not apply"),
        (f"[objective]\nkind = 'lexicographic'\n{MEMBER}kind = 'minimise-use'\n", "number 1: kind.*needs"),
        (f"[objective]\nkind = 'lexicographic'\nslack = 2.0\n{MEMBER}", r"slack = 2.0, expected a number in \(0, 1\)"),
        (f"[objective]\nkind = 'harmony'\n{MEMBER}", "objectives does not apply to kind = 'harmony'"),
        (f"[objective]\nkind = 'lexicographic'\n{MEMBER}kid = 'x'\n", "number 1: unknown key 'kid'; did you mean"),
        ("[objective]\nkind = 'lexicographic'\nobjectives = ['max-scale']\n", "objectives.*expected a table"),
        ("[objective]\nweight = 2.0\n", "weight is for the members"),
        ("[objective]\nkind = 'new-harmony'\nsigma = 2.0\n", "sigma does not apply"),
        ("[limits.CO2]\nat_most = 1.0\nsoft = 0.0\n", r"\[limits.CO2\]: soft = 0.0, expected greater than 0"),
        ("[limits.CO2]\nat_most = 1.0\nsoft = '3'\n", r"\[limits.CO2\]: soft = '3', expected a"),
        ("[objective]\nkind = 'harmony'\n[limits.CO2]\nat_most = 1.0\nsoft = 1.0\n", r"\[limits.CO2\] soft cannot be"),
        ("[objective]\neach = 'year'\n[horizon]\nyears = 2\n[limits.CO2]\nat_most = 1.0\nsoft = 1.0\n",
         r"\[limits.CO2\] soft cannot be combined"),
    ],
)  # fmt: skip
def test_errors_point_at_the_key(text: str, message: str) -> None:
    with pytest.raises(ProblemError, match=message) as caught:
        parse_scenario(HEAD + text, Path("folder/scenario.toml"))
    assert "folder/scenario.toml" in str(caught.value)


def test_an_order_that_ends_early_is_kept_and_verified(place: Path) -> None:
    result = plan(place, ORDER + "[limits]\nCO2 = 60.0\n[limits.work]\nindicator = 'HOURS'\nat_least = 1e5\n").solve()
    assert result.status is kt.Status.PRIMAL_INFEASIBLE
    saved = held(result, place / "plan")
    assert read_record(saved)["order"]["number"] == 1
