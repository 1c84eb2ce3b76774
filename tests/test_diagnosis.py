"""Diagnoses of random infeasible plans against HiGHS called directly: conflicts conflict, relaxations are least."""

from __future__ import annotations

import itertools
import os
from pathlib import Path

import numpy as np
import pytest

from infeasible_plans import feasible, least_by_highs, random_plan
from kantor import MinimiseUse, Plan, Status, verify_plan
from kantor.errors import OptionError
from kantor.planning.relax import elements, keeping, weights_of, with_bounds
from plan_folders import economy

# More than the suite takes are checked with KANTOR_DIAGNOSES="first seed,how many".
FIRST, COUNT = (int(part) for part in os.environ.get("KANTOR_DIAGNOSES", "0,20").split(","))
SEEDS = list(itertools.islice((seed for seed in itertools.count(FIRST) if random_plan(seed) is not None), COUNT))


def check(plan: Plan, weights: dict[str, float] | None) -> None:
    """The conflict set conflicts and is minimal; the least relaxation is feasible and no other is smaller."""
    program = plan.compile()
    every = elements(plan, program)
    found = plan.diagnose(weights=weights)
    clash = [element for element in every if element.key in found.conflict_set]
    assert found.minimal
    assert len(clash) == len(found.conflict_set) > 0
    assert not feasible(keeping(program, every, clash))
    for element in clash:
        assert feasible(keeping(program, every, [other for other in clash if other is not element])), element
    assert found.least is not None
    assert feasible(with_bounds(program, found.least.bounds))
    weight = weights_of(weights, every)
    given = {element: float(w) for element, w in zip(every, weight, strict=True) if np.isfinite(w)}
    assert found.least_total == pytest.approx(least_by_highs(plan, given), rel=2e-5, abs=1e-9)
    assert found.least_proved <= found.least_total


@pytest.mark.parametrize("seed", SEEDS)
def test_random_plans(seed: int) -> None:
    plan = random_plan(seed)
    assert plan is not None
    check(plan, None if seed % 2 else {"target": 0.5, "capacity": 3.0, **({"labour": 2.0} if has(plan) else {})})


def has(plan: Plan) -> bool:
    return any(limit.name == "labour" for limit in plan.limits)


def test_weights_that_make_no_sense_are_named() -> None:
    plan = random_plan(SEEDS[0])
    assert plan is not None
    with pytest.raises(OptionError, match="'labor' is no limit"):
        plan.diagnose(weights={"labor": 1.0})
    with pytest.raises(OptionError, match="'target' has weight 0"):
        plan.diagnose(weights={"target": 0})


def test_elastic_plans_anyway_and_the_folder_holds(tmp_path: Path) -> None:
    """The relaxed plan is optimal for the plan's own objective, says what gave way, and can be verified."""
    for seed, weights in ((SEEDS[0], None), (SEEDS[1], {"target": 0.01})):
        plan = random_plan(seed)
        assert plan is not None
        result = plan.solve(1e-6, elastic=weights or True)
        assert result.status is Status.OPTIMAL
        assert any("cheapest way out" in note for note in result.notes)
        assert verify_plan(result.save(tmp_path / f"plan{seed}")).ok
        assert plan.solve().status is Status.PRIMAL_INFEASIBLE


def test_relative_limits_that_stay_keep_their_words() -> None:
    """A limit that is not relaxed still says what the planner wrote."""
    limits = {"HOURS": "90%", "CO2": "150%"}
    plan = Plan(economy(), objective=MinimiseUse("CO2"), limits=limits)
    easier = plan.relaxed()
    assert [limit.stated for limit in easier.limits] == [
        {"at_most": pytest.approx(plan.limits[0].base, rel=1e-6)},
        {"at_most": "150%"},
    ]
    assert "HOURS is 11.11% short; cheapest way out: raise HOURS (at most)" in str(plan.diagnose())
