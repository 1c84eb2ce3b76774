"""The Leontief elimination of square economies: against the first-order method, SciPy, and hand-worked answers."""

import importlib.util
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse as sp
from scipy.optimize import minimize

from kantor.errors import OptionError
from kantor.solvers.dispatch import solve_program
from kantor.solvers.evaluate import Evaluator
from kantor.solvers.mix import build_mix, least_output, one_sided_solve, reach
from kantor.solvers.problem import SeparableTerms, TermKind
from kantor.solvers.program import PlanningProgram
from kantor.solvers.reduced import reducible, solve_reduced
from kantor.solvers.rent_search import minimise_rents
from kantor.solvers.solution import Status
from kantor.solvers.utilities import utility

_spec = importlib.util.spec_from_file_location("random_programs", Path(__file__).with_name("random_programs.py"))
random_programs = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(random_programs)

INF = np.inf
A2 = np.array([[0.25, 0.4], [0.14, 0.12]])  # wheat and cloth
LABOUR, DEMAND = np.array([[0.8, 3.6]]), np.array([55.0, 30.0])  # gross output (100, 50), values (2, 5)


def wheat_and_cloth(kind, **given):
    given = {"resource_use": LABOUR, "resource_upper": [520.0]} | given
    return PlanningProgram.build(kind, np.eye(2), A2, DEMAND, **given)


def some_utility(kinds, b, a=1.0, e=2.0):
    n = len(kinds)
    full = lambda v: np.broadcast_to(np.asarray(v, dtype=float), (n,)).copy()  # noqa: E731
    return SeparableTerms(np.asarray(kinds, np.uint8), full(a), full(b), full(e))


# ---- Leontief systems to one side ------------------------------------------------------------------------------
@pytest.mark.parametrize("side", [1.0, -1.0])
@pytest.mark.parametrize("transpose", [False, True])
def test_one_sided_solutions_are_strict_on_every_row_in_any_units(side, transpose):
    rng = np.random.default_rng(401)
    for n in (5, 700):
        A = sp.random_array((n, n), density=min(1.0, 8 / n), rng=rng).tocsr()
        units = rng.lognormal(0, 4, n)
        A = sp.csr_array(sp.diags_array(units * rng.random(n) / n**0.5) @ A @ sp.diags_array(1 / units))
        d = units * rng.random(n) if not transpose else rng.random(n) / units
        x = one_sided_solve(A, d, side, transpose=transpose)
        M = (A.T if transpose else A).toarray().astype(np.longdouble)
        inside = side * (x - M @ x - d) / (x + M @ x + d)
        assert inside.min() > 1e-13
        assert inside.max() < 1e-11


def test_goods_that_nobody_needs_are_not_made():
    A = sp.csr_array(np.array([[0.0, 0.5, 0.0], [0.1, 0.0, 0.0], [0.0, 0.2, 0.1]]))
    assert reach(A, np.array([True, False, False])).tolist() == [True, True, True]
    assert reach(A, np.array([False, False, True])).tolist() == [False, False, True]
    q, made = least_output(A, np.array([0.0, 0.0, 0.9]))
    assert q[:2].tolist() == [0.0, 0.0]
    assert q[2] == pytest.approx(1.0, rel=1e-11)
    assert made.tolist() == [False, False, True]


def test_least_output_with_supplies_from_outside_is_the_smallest_solution():
    rng = np.random.default_rng(402)
    for _ in range(20):
        n = 6
        A = rng.random((n, n)) * 0.25
        d = rng.normal(size=n)
        q, _ = least_output(sp.csr_array(A), d)
        least = random_programs.linprog(np.ones(n), -(np.eye(n) - A), -d).x
        assert np.allclose(q, least, rtol=1e-9, atol=1e-9)


def test_an_unproductive_mix_is_no_crash():
    assert one_sided_solve(sp.csr_array(np.array([[1.5]])), np.ones(1), 1.0) is None


def test_mixes_split_a_good_by_output_and_choose_the_cheapest_where_nothing_runs():
    program = PlanningProgram.build("scale", [[1.0, 2.0, 0.0], [0.0, 0.0, 4.0]], np.ones((2, 3)), [1.0, 1.0])
    mix = build_mix(program, np.array([3.0, 1.0, 0.0]), np.ones(3))
    assert np.allclose((program.output @ mix.shares).toarray(), np.eye(2))
    assert mix.shares.toarray()[:2, 0].tolist() == [0.6, 0.2]
    idle = build_mix(program, np.zeros(3), np.array([1.0, 1.5, 1.0]))
    assert idle.shares.toarray()[:, 0].tolist() == [0.0, 0.5, 0.0]
    barred = build_mix(program, np.ones(3), np.ones(3), np.array([True, False, False]))
    assert barred.makes.tolist() == [True, False]


# ---- what can be eliminated ------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"output": [[1.0, 0.0], [0.5, 1.0]]}, "several goods"),
        ({"output": [[1.0, 0.0], [0.0, 0.0]]}, "make nothing"),
        ({"output": [[1.0, 1.0], [0.0, 0.0]]}, "several techniques"),
        ({"capacity": np.array([1.0, INF])}, "have capacities"),
    ],
)
def test_what_cannot_be_eliminated_is_said(changes, words):
    program = replace(wheat_and_cloth("scale"), **changes)
    assert words in reducible(program)
    with pytest.raises(OptionError, match=words):
        solve_program(program, method="reduced")
    assert reducible(wheat_and_cloth("scale")) == ""


def test_some_goods_without_a_technique():
    program = PlanningProgram.build("scale", [[1.0], [0.0]], [[0.1], [0.2]], [1.0, 0.0])
    assert reducible(program) == "some goods are made by no technique"


# ---- answers by hand -------------------------------------------------------------------------------------------
def test_scale_by_hand():
    found = solve_program(wheat_and_cloth("scale"))  # the basket takes 0.8*100 + 3.6*50 = 260 hours
    assert found.status is Status.OPTIMAL
    assert found.certified
    assert found.info.method == "reduced"
    assert found.scale == pytest.approx(2.0, rel=1e-11)
    assert found.activity == pytest.approx([200.0, 100.0], rel=1e-10)
    assert found.prices == pytest.approx([2.0 / 260, 5.0 / 260], rel=1e-10)
    assert found.rents == pytest.approx([1 / 260], rel=1e-10)
    assert found.lower_bound <= 2.0 <= found.upper_bound
    assert found.gap < 1e-10
    assert found.consumption.tolist() == (found.scale * DEMAND).tolist()


def test_least_labour_by_hand():
    found = solve_program(wheat_and_cloth("use", resource_use=[[1.0, 0.0]], resource_upper=[100.1], cost=LABOUR[0]))
    assert found.objective == pytest.approx(260.0, rel=1e-10)
    assert found.prices == pytest.approx([2.0, 5.0], rel=1e-10)
    assert found.rents.tolist() == [0.0]
    assert found.lower_bound <= 260.0 <= found.upper_bound


def test_an_impossible_demand_is_proved_impossible():
    found = solve_program(wheat_and_cloth("use", resource_upper=[259.9], cost=[1.0, 1.0]))
    assert found.status is Status.PRIMAL_INFEASIBLE
    assert 0 < found.surplus <= found.prices @ DEMAND - found.rents @ [259.9] + 1e-12
    assert (found.prices @ (np.eye(2) - A2) <= found.rents @ LABOUR).all()
    assert "260" in found.info.why


def test_units_of_activity_other_than_one_unit_of_output():
    base = solve_program(wheat_and_cloth("scale"))
    per = np.array([4.0, 0.5])
    found = solve_program(
        PlanningProgram.build(
            "scale", np.diag(per), A2 * per, DEMAND, resource_use=LABOUR * per, resource_upper=[520.0]
        )
    )
    assert found.info.method == "reduced"
    assert found.activity == pytest.approx(base.activity / per, rel=1e-10)
    assert found.scale == pytest.approx(base.scale, rel=1e-10)


def test_nothing_scarce_means_no_largest_scale():
    found = solve_program(wheat_and_cloth("scale", resource_upper=[INF]))
    assert found.status is Status.DUAL_INFEASIBLE
    assert "no limited resource" in found.info.why


def test_logarithmic_utility_by_hand():
    """max ln C1 + 3 ln C2: the values (2, 5) split 520 hours one to three."""
    terms = some_utility([TermKind.LOG, TermKind.LOG], 0.0, [1.0, 3.0])
    found = solve_program(wheat_and_cloth("utility", terms=terms))
    assert found.info.method == "reduced"
    assert found.consumption == pytest.approx([130 / 2, 390 / 5], rel=1e-9)
    assert found.objective == pytest.approx(np.log(65) + 3 * np.log(78), abs=1e-10)
    assert found.rents == pytest.approx([4 / 520], rel=1e-9)
    assert found.gap < 1e-10


# ---- against other methods -------------------------------------------------------------------------------------
@pytest.mark.parametrize("kind", ["scale", "use", "utility"])
def test_reduced_equals_the_first_order_method(kind):
    rng, compared = np.random.default_rng(403), 0
    for seed in range(8):
        features = random_programs.features_of(seed << 3) & {"units", "idle_limits"}
        program = random_programs.draw(rng, kind, features, n=8, per_good=1).program
        one = solve_program(program, method="reduced")
        two = solve_program(program, method="pdhg", iteration_limit=200_000)
        assert one.status is two.status
        if one.status is Status.OPTIMAL:
            assert one.gap < 1e-9
            assert max(one.lower_bound, two.lower_bound) <= min(one.upper_bound, two.upper_bound)
            compared += 1
    assert compared >= 5


@pytest.mark.parametrize("kind", ["scale", "use"])
def test_reduced_equals_the_simplex_method_also_with_negative_entries(kind):
    rng, compared = np.random.default_rng(404), 0
    for seed in range(40):
        features = {"negatives"} | (random_programs.features_of(seed << 4) & {"units", "idle_limits"})
        instance = random_programs.draw(rng, kind, features, n=int(rng.integers(3, 30)), per_good=1)
        status, best, *_ = random_programs.optimum(instance)
        found = solve_program(instance.program)
        if status == "optimal":
            assert found.status is Status.OPTIMAL
            assert found.lower_bound <= best * (1 + 1e-8)
            assert found.upper_bound >= best * (1 - 1e-8)
            compared += found.info.method == "reduced"
        else:
            assert found.status in (Status.PRIMAL_INFEASIBLE, Status.DUAL_INFEASIBLE)
    assert compared > 25


def test_utility_equals_an_independent_convex_solver():
    rng = np.random.default_rng(405)
    for kind in (TermKind.QUADRATIC, TermKind.HARMONY, TermKind.LOG, TermKind.POWER, TermKind.HYPERBOLIC):
        n, r = 5, 2
        A, R = rng.random((n, n)) * 0.25, rng.lognormal(0, 0.5, (r, n))
        target = rng.lognormal(0, 0.5, n)
        terms = some_utility([kind] * n, target, rng.uniform(0.5, 2, n), 2.0)
        content = R @ np.linalg.inv(np.eye(n) - A)
        limit = content @ target * np.array([0.6, 0.65])
        program = PlanningProgram.build(
            "utility", np.eye(n), A, target, resource_use=R, resource_upper=limit, terms=terms
        )
        found = solve_program(program)
        start = 0.3 * target
        slsqp = minimize(
            lambda c, t=terms: -float(utility(t, np.maximum(c, 1e-12))[0].sum()),
            start,
            method="SLSQP",
            bounds=[(1e-9, None)] * n,
            constraints={"type": "ineq", "fun": lambda c, m=content, b=limit: b - m @ c},
            options={"ftol": 1e-14, "maxiter": 500},
        )
        assert found.status is Status.OPTIMAL
        assert found.info.method == "reduced"
        assert found.objective == pytest.approx(-slsqp.fun, rel=1e-6, abs=1e-7)
        assert found.objective >= -slsqp.fun - 1e-7
        assert found.gap < 1e-9


def test_rents_with_fewer_goods_than_limits():
    """The Hessian is singular: one good, three limits; only the tightest may have a rent."""
    terms = some_utility([TermKind.LOG], 0.0)
    found = minimise_rents(terms, np.array([[1.0], [2.0], [3.0]]), np.array([4.0, 4.0, 18.0]))
    assert found.consumption == pytest.approx([2.0], rel=1e-12)
    assert found.rents == pytest.approx([0.0, 0.25, 0.0], abs=1e-12)
    assert minimise_rents(terms, np.ones((1, 1)), np.zeros(1)) is None


# ---- supplies from outside -------------------------------------------------------------------------------------
def supplied(amount, second=INF):
    """Two goods, one resource, and a technique that brings up to ``amount`` of good 2 from outside."""
    return PlanningProgram.build(
        "utility",
        [[1.0, 0.0, 0.0], [0.0, 1.0, 1.0]],
        [[0.0, 0.5, 0.0], [0.0, 0.0, 0.0]],
        [1.0, 1.0],
        resource_use=[[1.0, 0.5, 0.0]],
        resource_upper=[10.0],
        capacity=[INF, INF, amount],
        terms=some_utility([TermKind.LOG, TermKind.LINEAR if second == 0 else TermKind.LOG], 0.0),
    )


def test_supplies_from_outside_are_used_in_full():
    """Both goods embody 1 hour, so 10 hours and 4 given units make 14 to share equally."""
    found = solve_program(supplied(4.0))
    assert found.info.method == "reduced"
    assert found.consumption == pytest.approx([7.0, 7.0], rel=1e-9)
    assert found.activity[2] == pytest.approx(4.0)
    assert found.capacity_rents[2] == pytest.approx(1 / 7, rel=1e-9)
    assert found.gap < 1e-9


def test_more_from_outside_than_anyone_wants_is_worth_nothing():
    found = solve_program(supplied(4.0, second=0.0))
    assert found.status is Status.OPTIMAL
    assert found.info.method == "reduced"
    assert found.consumption == pytest.approx([10.0, 0.0], rel=1e-9)
    assert found.prices[1] == pytest.approx(0.0, abs=1e-12)
    assert found.gap < 1e-9


def test_free_disposal_of_a_by_product():
    """A negative input (scrap that comes along with good 1) exceeds the need for it: scrap is not made, and free."""
    A = np.array([[0.1, 0.3], [-0.2, 0.0]])
    program = PlanningProgram.build("scale", np.eye(2), A, [1.0, 0.1], resource_use=[[1.0, 5.0]], resource_upper=[9.0])
    found = solve_program(program)
    assert found.info.method == "reduced"
    assert found.scale == pytest.approx(9.0 * 0.9, rel=1e-10)
    assert found.activity[1] == 0.0
    assert found.prices[1] == 0.0
    assert Evaluator(program).check_plan(found.activity, found.scale, found.consumption).feasible


def test_a_larger_economy_in_memory():
    """20,000 goods, three limits, in units that differ by e^(+-12)."""
    rng = np.random.default_rng(406)
    n = 20_000
    column = np.repeat(np.arange(n), 10)
    A = sp.csr_array((rng.random(column.size) * 0.08, (rng.integers(0, n, column.size), column)), shape=(n, n))
    units = rng.lognormal(0, 4, n)
    A = sp.csr_array(sp.diags_array(units) @ A @ sp.diags_array(1 / units))
    y = units * rng.lognormal(0, 1, n)
    R, upper = rng.lognormal(0, 0.5, (3, n)) / units, [1e5, 1.1e5, 1.2e5]
    scale = solve_program(PlanningProgram.build("scale", sp.eye_array(n), A, y, resource_use=R, resource_upper=upper))
    assert scale.gap < 1e-9
    terms = some_utility(np.full(n, TermKind.HARMONY), y)
    program = PlanningProgram.build("utility", sp.eye_array(n), A, y, resource_use=R, resource_upper=upper, terms=terms)
    harmony = solve_program(program)
    assert harmony.status is Status.OPTIMAL
    assert harmony.gap < 1e-9
    assert solve_reduced(program).why == harmony.info.why.split(": ", 1)[1]
