"""Rolling re-planning: what changes mean, warm starts, the account of the difference, years moving on, stability."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

import kantor as kt
from kantor.cli import app
from kantor.errors import OptionError, ProblemError
from kantor.feedback.change import number_or_percent
from kantor.solvers.dispatch import solve_program

GOODS = ["coal", "iron", "bread"]


def village(**changes: Any) -> kt.Economy:
    options: dict[str, Any] = {
        "A": [[0.0, 0.5, 0.1], [0.1, 0.0, 0.05], [0.0, 0.0, 0.0]],
        "Y": [2.0, 3.0, 10.0],
        "S": [[1.0, 2.0, 0.5]],
        "labels": GOODS,
        "indicators": ["labour"],
    }
    return kt.Economy.from_iot(**options | changes)


def solved(objective: Any = None, limit: float = 30.0) -> kt.Plan:
    return kt.Plan(village(), objective=objective, limits={"labour": limit})


# ---- what a change means ---------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("value", "expected"), [(3.0, 3.0), ("3", 3.0), ("50%", 5.0), ("+50%", 15.0), ("-5 %", 9.5), (" 1e2 ", 100.0)]
)
def test_values_are_amounts_or_percentages_of_the_present_one(value: Any, expected: float) -> None:
    assert number_or_percent(value, 10.0, "here") == pytest.approx(expected)


@pytest.mark.parametrize("value", ["much", "", "5%%", float("nan"), None, True])
def test_other_values_are_refused_and_named(value: Any) -> None:
    with pytest.raises(ProblemError, match="here"):
        number_or_percent(value, 10.0, "here")


def test_a_file_in_both_forms_says_the_same(tmp_path: Path) -> None:
    (tmp_path / "more.csv").write_text("kind,label,technique,value\ncoefficient,coal,iron,0.4\n")
    (tmp_path / "june.toml").write_text(
        'reason = "June"\n[target]\nbread = "+5%"\n[outage]\niron = 0.5\n[use.coal]\nlabour = 1.5\n'
        '[files]\nentries = "more.csv"\n'
    )
    (tmp_path / "june.csv").write_text(
        "kind,label,technique,value\ntarget,bread,,+5%\noutage,iron,,0.5\nuse,labour,coal,1.5\ncoefficient,coal,iron,0.4\n"
    )
    one, other = kt.read_change(tmp_path / "june.toml"), kt.read_change(tmp_path / "june.csv")
    assert one.reason == "June"
    assert len(one.sources) == 2
    first, second = (kt.Replanner(solved()).ask(change).plan for change in (one, other))
    assert first.targets.tolist() == second.targets.tolist() == pytest.approx([2.0, 3.0, 10.5])
    assert (first.economy.A != second.economy.A).nnz == 0
    assert first.economy.A.toarray()[0, 1] == 0.4
    assert first.economy.indicator("labour").tolist() == [1.5, 2.0, 0.5]
    assert first.capacities["iron"] == second.capacities["iron"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[targets]\nbread = 1.0\n", "unknown kind of change 'targets'; did you mean 'target'"),
        ("[target]\nbred = 1.0\n", "unknown label 'bred'"),
        ("[coefficient]\ncoal = 1.0\n", "one table for each technique"),
        ("[outage]\niron = 1.5\n", r"outage of 'iron'.*in \[0, 1\]"),
        ("[stock]\niron = -1\n", "stock of 'iron'"),
        ("[limit]\nlabor = 1\n", "none called 'labor'"),
        ('[capacity]\niron = "50%"\n', "no.*|has none so far"),
        ('[target]\nbread = "plenty"\n', "plenty"),
    ],
)
def test_wrong_entries_are_named(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "c.toml").write_text(text)
    with pytest.raises(ProblemError, match=message):
        kt.Replanner(solved()).replan(tmp_path / "c.toml")


def test_limits_keep_their_amount_when_targets_move() -> None:
    plan = kt.Plan(village(), limits={"labour": "100%"})
    before = plan.limits[0].upper
    new = kt.Replanner(plan).replan(kt.Change.of(target={"bread": "+50%"})).result
    assert new.limits[0].upper == before
    assert new.objective < 0.95


def test_reported_outputs_become_stock_or_backlog() -> None:
    planner = kt.Replanner(solved())
    ran = planner.last.activity
    more = planner.ask(kt.Change.of(output={"coal": ran["coal"] + 1.0, "bread": ran["bread"] - 0.25}))
    assert more.question.stock.tolist() == pytest.approx([1.0, 0.0, 0.0])
    assert more.plan.targets["bread"] == pytest.approx(10.25)
    assert more.plan.capacities["stock of coal"] == pytest.approx(1.0)
    forgiven = kt.Replanner(planner.last, backlog=False).ask(kt.Change.of(output={"bread": 0.0}))
    assert forgiven.plan.targets["bread"] == 10.0


def test_the_answer_is_that_of_the_changed_plan_solved_anew() -> None:
    change = kt.Change.of(
        target={"bread": 12.0}, outage={"iron": "20%"}, stock={"iron": 0.5}, coefficient={("coal", "iron"): 0.45}
    )
    for objective in (kt.MaxScale(), kt.Harmony()):
        planner = kt.Replanner(solved(objective), tolerance=1e-8)
        asked = planner.ask(change)
        new = planner.replan(change).result
        cold = asked.plan.solve(1e-8)
        assert new.certified
        assert new.objective == pytest.approx(cold.objective, rel=2e-8)
        assert planner.last is new


def test_a_change_that_leaves_no_plan_is_returned_and_not_gone_on_from() -> None:
    planner = kt.Replanner(kt.Plan(village(), objective=kt.MinimiseUse("labour")))
    before = planner.last
    assert planner.replan(kt.Change.of(outage={"iron": 1.0})).result.status is kt.Status.PRIMAL_INFEASIBLE
    assert planner.last is before


# ---- the account -----------------------------------------------------------------------------------------------------
def test_costs_add_up_and_small_changes_leave_no_rest() -> None:
    change = kt.Change.of(target={"bread": "+0.1%"}, limit={"labour": "+0.2%"}, coefficient={("coal", "iron"): "+0.1%"},
                          use={("labour", "coal"): "-0.1%"})  # fmt: skip
    for objective in (kt.MaxScale(), kt.Harmony(), kt.MinimiseUse("labour")):
        base = kt.Plan(village(), objective=objective, limits={"labour": 40.0})
        done = kt.Replanner(base, tolerance=1e-10).replan(change)
        total = done.result.objective - done.before.objective
        assert done.costs["effect"].sum() == pytest.approx(total, abs=1e-12)
        by = done.costs.set_index("kind")["effect"]
        size = by.drop("rest").abs().sum()
        assert size > 0
        assert abs(by["rest"]) < 2e-3 * size
        assert by["target"] * (1.0 if done.result.sense == "max" else -1.0) < 0


def test_costs_of_an_outage_count_from_where_the_activity_stood() -> None:
    done = kt.Replanner(solved(), tolerance=1e-9).replan(kt.Change.of(outage={"iron": "10%"}))
    loss = done.result.objective - done.before.objective
    by = done.costs.set_index("kind")["effect"]
    assert loss == pytest.approx(-0.1 * done.before.objective, rel=1e-6)
    assert by["capacity"] == pytest.approx(loss, rel=1e-6)


def test_moves_name_the_target_and_the_chain_behind_it() -> None:
    done = kt.Replanner(kt.Plan(village(), objective=kt.MinimiseUse("labour"))).replan(
        kt.Change.of(target={"bread": 20.0})
    )
    moves = done.moves
    assert set(moves["cause"]) == {"target"}
    assert set(moves["source"]) == {"bread"}
    assert moves.loc["coal", "chain"] == "coal <- bread"
    assert moves["through_source"].to_numpy() == pytest.approx(moves["change"].to_numpy(), rel=1e-6)
    x = np.linalg.solve(np.eye(3) - village().A.toarray(), [0.0, 0.0, 10.0])
    assert moves["change"].reindex(GOODS).to_numpy() == pytest.approx(x, rel=1e-6)


def test_moves_say_what_moved_with_the_common_scale() -> None:
    done = kt.Replanner(solved()).replan(kt.Change.of(limit={"labour": "-10%"}))
    assert len(done.moves) == 0  # all activities moved with the scale, none against it


def test_moves_name_a_coefficient() -> None:
    done = kt.Replanner(kt.Plan(village(), objective=kt.MinimiseUse("labour"))).replan(
        kt.Change.of(coefficient={("coal", "bread"): 0.2})
    )
    assert done.moves.loc["coal", "cause"] == "coefficient"
    assert done.moves.loc["coal", "source"] == "coal"


# ---- years -----------------------------------------------------------------------------------------------------------
def test_the_window_moves_on_with_stocks_targets_and_budgets() -> None:
    storage = kt.Storage(loss=0.5, initial=pd.Series({"bread": 4.0}))
    horizon = kt.Horizon(years=3, first=2027, growth=0.1, storage=storage, rise=0.2, fall=0.2)
    limits = {"labour": kt.Limit(at_most=100.0, over="total")}
    planner = kt.Replanner(kt.Plan(village(), limits=limits, horizon=horizon))
    first = planner.last
    kept = first.activity.xs((2027, "store"), level=(0, 1))
    used = float(first.use["use"]["labour 2027"])
    asked = planner.ask(kt.Change.of(stock={"iron": 0.5}), next_period=True)
    moved = asked.question
    assert moved.horizon.named(None) == (2028, 2029, 2030)
    assert moved.targets.loc["bread"].tolist() == pytest.approx([11.0, 12.1, 13.31])
    assert moved.limits["labour"].at_most == pytest.approx(100.0 - used)
    assert moved.horizon.storage.initial["iron"] == 0.5
    assert moved.horizon.storage.initial["bread"] == pytest.approx(0.5 * kept["bread"], abs=1e-9)
    assert moved.economy.activity.tolist() == pytest.approx(first.activity.xs((2027, "run"), level=(0, 1)).tolist())
    done = planner.replan(kt.Change.of(stock={"iron": 0.5}), next_period=True)
    assert done.result.certified
    assert done.result.activity.index.get_level_values(0).max() == 2030
    with pytest.raises(ProblemError, match="different years"):
        _ = done.costs


def test_moving_on_needs_years() -> None:
    with pytest.raises(ProblemError, match="window"):
        kt.Replanner(solved()).replan(next_period=True)


def test_assets_wear_and_grow_when_the_window_moves_on() -> None:
    needs = pd.DataFrame([[1.0, 0.0, 0.0]], ["mine"], GOODS)
    built = pd.DataFrame([[0.0], [0.5], [0.0]], GOODS, ["mine"])
    capital = kt.Capital(requirements=needs, composition=built, depreciation=0.1, initial=pd.Series({"mine": 9.0}))
    plan = kt.Plan(village(), limits={"labour": 40.0}, horizon=kt.Horizon(years=3, first=1, capital=capital))
    planner = kt.Replanner(plan)
    begun = float(planner.last.activity.loc[1, "invest", "mine"])
    moved = planner.ask(None, next_period=True).question
    assert moved.horizon.capital.initial["mine"] == pytest.approx(0.9 * 9.0 + begun)


# ---- stability -------------------------------------------------------------------------------------------------------
def two_ways() -> kt.Economy:
    """Bread by hand or by oven; which is less work turns on a few per cent."""
    return kt.Economy.from_arrays(
        input=[[0.0, 0.0]], output=[[1.0, 1.0]], intensities=[[1.0, 1.02]], demand=[10.0],
        products=["bread"], techniques=["oven", "hand"], indicators=["labour"],
    )  # fmt: skip


def test_a_price_on_change_keeps_what_a_small_gain_would_move() -> None:
    base = kt.Plan(two_ways(), objective=kt.MinimiseUse("labour"))
    change = kt.Change.of(use={("labour", "oven"): 1.05})
    free = kt.Replanner(base).replan(change)
    assert free.result.activity["hand"] == pytest.approx(10.0)
    assert free.movement == pytest.approx(2.0)
    # All from the oven to the hand is a change of 2, at 1.0 each, and would save 0.3 hours.
    kept = kt.Replanner(base, stability=kt.Stability(price=1.0)).replan(change)
    assert kept.result.activity["oven"] == pytest.approx(10.0, rel=1e-5)
    cheap = kt.Replanner(base, stability=kt.Stability(price=0.1)).replan(change)
    assert cheap.result.activity["hand"] == pytest.approx(10.0, rel=1e-4)


@pytest.mark.parametrize("objective", [kt.MaxScale(), kt.Harmony(), kt.MinimiseUse("labour")])
def test_a_budget_for_change_is_kept_by_every_objective(objective: Any) -> None:
    base = kt.Plan(two_ways(), objective=objective, limits={"labour": 10.6})
    change = kt.Change.of(use={("labour", "oven"): 1.05})
    done = kt.Replanner(base, stability=kt.Stability(at_most=0.1)).replan(change)
    assert done.result.certified
    assert done.movement <= 0.1 + 1e-6
    assert done.result.activity["hand"] > 0.2


def test_stability_says_what_it_cannot_do() -> None:
    with pytest.raises(OptionError, match="price"):
        kt.Stability()
    planner = kt.Replanner(solved(kt.Harmony()), stability=kt.Stability(price=1.0))
    with pytest.raises(OptionError, match="at_most"):
        planner.replan()


# ---- warm starts -----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("options", [{"capacities": 0.3}, {"resources": 3}])
def test_a_changed_choice_of_technique_starts_from_the_earlier_vertex(options: Any) -> None:
    made = kt.technique_choice(600, seed=3, **options)
    old = solve_program(made.program, 1e-7)
    rng = np.random.default_rng(0)
    inputs = made.program.input.copy()
    inputs.data = inputs.data.copy()
    at = rng.choice(inputs.nnz, inputs.nnz // 100, replace=False)
    inputs.data[at] *= rng.uniform(0.95, 1.05, at.size)
    new = dataclasses.replace(made.program, input=inputs)
    warm, cold = solve_program(new, 1e-7, warm_start=old), solve_program(new, 1e-7)
    assert warm.gap <= 1e-7
    assert warm.objective == pytest.approx(cold.objective, rel=3e-7)
    assert "from the earlier plan" in warm.info.why
    assert warm.info.products < cold.info.products


# ---- folders and commands --------------------------------------------------------------------------------------------
def test_plans_go_on_from_folders(tmp_path: Path) -> None:
    for objective in (kt.MaxScale(), kt.Harmony(), kt.LogUtility(epsilon=0.1), kt.MinimiseUse("labour")):
        result = solved(objective, 40.0).solve(1e-8)
        result.save(tmp_path / "plan")
        change = kt.Change.of(target={"bread": "+5%"})
        here, there = kt.Replanner(result, tolerance=1e-8), kt.Replanner(tmp_path / "plan", tolerance=1e-8)
        assert there.replan(change).result.objective == pytest.approx(here.replan(change).result.objective, rel=3e-8)


def test_the_command_writes_a_plan_that_holds_and_explains(tmp_path: Path) -> None:
    (tmp_path / "june.toml").write_text('reason = "June"\n[target]\nElectricity = "+5%"\n')
    run = CliRunner().invoke
    assert run(app, ["plan", "us_2012", "-o", str(tmp_path / "a"), "-q"]).exit_code == 0
    arguments = [
        "replan",
        str(tmp_path / "a"),
        "--change",
        str(tmp_path / "june.toml"),
        "-o",
        str(tmp_path / "b"),
        "--json",
    ]
    found = run(app, [*arguments, "--log", str(tmp_path / "log")])
    assert found.exit_code == 0, found.output
    facts = json.loads(found.stdout)
    assert facts["effects"]["target"] < 0
    assert facts["moves"][0]["technique"]
    assert kt.verify_plan(tmp_path / "b").ok
    assert run(app, ["verify", "--log", str(tmp_path / "log")]).exit_code == 0
    listed = json.loads(run(app, ["log", str(tmp_path / "log"), "--json"]).stdout)
    assert [plan["reason"] for plan in listed["plans"]] == ["", "June"]
    cut = run(app, ["verify", "--log", str(tmp_path / "log"), "--head", "0" * 64])
    assert cut.exit_code == 1
    assert run(app, [*arguments[:3], str(tmp_path / "none.toml")]).exit_code == 2
