"""From the optimum of other data: the same optimum as from nothing, for a fraction of the passes over the data."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse as sp

from kantor.data.technique_choice import technique_choice
from kantor.solvers.dispatch import solve_program
from kantor.solvers.program import PlanningProgram
from kantor.solvers.rounds import Start
from kantor.solvers.solution import Status


def moved(program: PlanningProgram, seed: int, size: float = 0.1) -> PlanningProgram:
    """One per cent of the coefficients and five per cent of the targets, changed by up to ``size`` either way."""
    rng = np.random.default_rng(seed)
    input_ = sp.csr_array(program.input)
    data = input_.data.copy()
    at = rng.choice(data.size, data.size // 100, replace=False)
    data[at] *= rng.uniform(1.0 - size, 1.0 + size, at.size)
    targets = program.targets.copy()
    at = rng.choice(targets.size, targets.size // 20, replace=False)
    targets[at] *= rng.uniform(1.0 - size, 1.0 + size, at.size)
    return replace(program, input=sp.csr_array((data, input_.indices, input_.indptr), input_.shape), targets=targets)


FAMILIES = {
    "use, 5 limits": {"goods": 3000},
    "use, 30 limits": {"goods": 2000, "resources": 30},
    "scale, 13 limits": {"goods": 3000, "family": "scale"},
    "units that differ": {"goods": 1000, "unit_spread": 4.0},
}


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("family", FAMILIES)
def test_the_optimum_is_the_same_and_costs_a_third_of_the_passes_at_most(family: str, seed: int) -> None:
    program = technique_choice(**FAMILIES[family], seed=seed).program  # type: ignore[arg-type]
    first = solve_program(program, 1e-6)
    after = moved(program, seed)
    cold, warm = solve_program(after, 1e-6), solve_program(after, 1e-6, warm_start=first)
    assert (cold.status, warm.status) == (Status.OPTIMAL, Status.OPTIMAL)
    assert warm.info.method == "nearby"
    assert warm.gap <= 1e-6
    # Proved intervals of the same optimum.
    assert max(cold.lower_bound, warm.lower_bound) <= min(cold.upper_bound, warm.upper_bound)
    assert warm.info.products <= cold.info.products / 3
    assert abs(first.objective / warm.objective - 1.0) > 1e-6  # the news moved the optimum


def test_the_same_data_need_one_round_and_a_tighter_tolerance_is_met() -> None:
    program = technique_choice(1000).program
    first = solve_program(program, 1e-6)
    again = solve_program(program, 1e-9, warm_start=first)
    assert again.info.method == "nearby"
    assert len(again.info.history) == 1
    assert again.gap <= 1e-9


def test_a_start_that_is_far_off_is_left_to_the_other_methods() -> None:
    program = technique_choice(500).program
    first = solve_program(program, 1e-8)
    rng = np.random.default_rng(0)
    wild = replace(first, prices=first.prices * rng.lognormal(0.0, 2.0, 500), activity=rng.permutation(first.activity))
    found = solve_program(program, 1e-6, warm_start=wild)
    assert found.status is Status.OPTIMAL
    assert found.objective == pytest.approx(first.objective, rel=2e-6)


def test_limits_that_no_plan_meets_any_more_are_not_met_by_a_start() -> None:
    program = technique_choice(300).program
    first = solve_program(program, 1e-6)
    found = solve_program(replace(program, resource_upper=0.2 * program.resource_upper), 1e-6, warm_start=first)
    assert found.status is Status.PRIMAL_INFEASIBLE


def test_the_scale_of_a_start_is_measured_by_worth() -> None:
    program = technique_choice(200, family="scale").program
    first = solve_program(program, 1e-8)
    after = moved(program, 3, 0.5)
    zeros = np.zeros(program.shape[2])
    scale = Start.from_vectors(after, first.activity, first.prices, zeros, zeros).plan.scale
    assert scale == pytest.approx(first.scale, rel=0.05)
    net = after.output @ first.activity - after.input @ first.activity
    wanted = after.targets > 0.0
    assert (
        float((net[wanted] / after.targets[wanted]).min()) < 0.8 * scale
    )  # one good falls far short: it would have been the scale
