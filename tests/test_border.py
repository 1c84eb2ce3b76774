"""The pieces of block exchange beside its loop: borders and contents; and lifts of plans within capacities."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp

from kantor.backends import get_backend
from kantor.data.technique_choice import technique_choice
from kantor.solvers.border import Border
from kantor.solvers.contents import Contents
from kantor.solvers.dispatch import solve_program
from kantor.solvers.evaluate import Evaluator
from kantor.solvers.policy import cheapest_policy
from kantor.solvers.program import PlanningProgram
from kantor.solvers.repair import Repair
from kantor.solvers.small_program import BASIC, LOWER, UPPER
from kantor.solvers.solution import Status
from kantor.solvers.technology import Technology


@pytest.mark.parametrize("transposed", [False, True])
def test_coarse_factors_correct_to_rounding(transposed):
    rng = np.random.default_rng(5)
    exact = np.eye(40) + 0.1 * rng.random((40, 40))
    border = Border.of(sp.csc_array(exact + 0.02 * rng.random((40, 40))), np.full(40, BASIC), np.full(40, LOWER))
    assert border is not None
    right, place = rng.random(40), np.zeros(40)
    matrix = exact.T if transposed else exact

    def step(move):
        place[:] += move

    assert border.correct(lambda: right - matrix @ place, step, transposed)
    assert place == pytest.approx(np.linalg.solve(matrix, right), rel=1e-9)


def test_what_cannot_be_corrected_stays():
    """A system that is singular, though its coarse factors are not, has no step that helps."""
    border = Border.of(sp.csc_array(np.eye(2)), np.full(2, BASIC), np.full(2, LOWER))
    assert border is not None
    place = np.zeros(2)

    def step(move):
        place[:] += move

    assert not border.correct(lambda: np.array([1.0, 0.0]) - np.ones((2, 2)) @ place, step)
    assert place.tolist() == [0.0, 0.0]


def test_a_border_has_to_be_square_and_regular():
    matrix = sp.csc_array(np.array([[1.0, 2.0], [2.0, 4.0]]))
    assert Border.of(matrix, np.array([BASIC, BASIC]), np.array([UPPER, LOWER])) is None
    assert Border.of(matrix, np.array([BASIC, BASIC]), np.array([UPPER, BASIC])) is None
    border = Border.of(matrix, np.array([LOWER, BASIC]), np.array([UPPER, BASIC]))
    assert border is not None
    assert border.solve(np.ones(1)).tolist() == [0.5]


def test_contents_are_those_of_the_techniques_in_use():
    technology = Technology.of(technique_choice(60, resources=2).program, get_backend("auto"))
    policy = cheapest_policy(technology, technology.cost)
    contents, goods = Contents(technology), np.array([3, 17, 40])
    inverse = np.linalg.inv(np.eye(60) - policy.rows.toarray())
    found = contents.goods(policy.rows, goods, 1e-9)
    assert found.toarray() == pytest.approx(inverse[:, goods], abs=1e-6)
    assert contents.limits(policy.rows, policy.choice) == pytest.approx(
        inverse @ technology.use[policy.choice], rel=1e-6
    )
    # Some of the same goods are a part of what is there; other techniques are not.
    assert (contents.goods(policy.rows, goods[1:], 1e-9) != found[:, 1:]).nnz == 0
    other = sp.csr_array((60, 60))
    assert contents.goods(other, goods, 1e-9).nnz == 3


@pytest.mark.parametrize("free", [True, False])
def test_exchange_ends_at_the_vertex(free):
    """Plan and prices of a basis are exact, so the search ends when the basis is right, and does not creep."""
    program = technique_choice(400, limits="blend", capacities=0.3, leave_one_free=free).program
    found = solve_program(program, 1e-9)
    assert found.status is Status.OPTIMAL
    assert found.info.method == "pdhg+exchange"
    assert found.gap <= 1e-9
    assert found.info.iterations <= 1000


def test_a_lift_fills_one_capacity_and_goes_on_with_another():
    program = PlanningProgram.build("use", [[1.0, 1.0]], np.zeros((1, 2)), [1.9], capacity=[1.0, 1.0], cost=[1.0, 2.0])
    evaluator = Evaluator(program)
    plan = Repair(evaluator, program.cost).lift(np.array([0.95, 0.2]), program.targets)
    assert plan is not None
    assert evaluator.check_plan(plan, np.nan, program.targets).feasible
