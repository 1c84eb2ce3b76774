"""Convex terms of a user's own: the same answers as built-in ones and as Clarabel, and a door that checks them."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import wrightomega

import kantor as kt
import plan_folders
from kantor.errors import OptionError, ProblemError
from kantor.solvers.lp import solve_lp
from kantor.solvers.options import PdhgOptions
from kantor.solvers.problem import LinearProgram, SeparableTerms, TermKind
from kantor.solvers.solution import Status
from kantor.solvers.verify import verify_lp

INF = np.inf

# The same functions as the kinds of kantor.solvers.problem.TermKind, and entropy, which is none of them.
LOG = {
    "value": lambda x, a, b: np.where(x + b > 0, -a * np.log(np.maximum(x + b, 1e-300)), INF),
    "prox": lambda v, t, a, b: 0.5 * (v - b) + np.sqrt(0.25 * (v + b) ** 2 + t * a),
    "conjugate": lambda g, a, b: np.where(g < 0, -b * g - a + a * np.log(a / np.maximum(-g, 1e-300)), INF),
}
SQUARE = {
    "value": lambda x, a, b: 0.5 * a * (x - b) ** 2,
    "prox": lambda v, t, a, b: (v + t * a * b) / (1.0 + t * a),
    "conjugate": lambda g, a, b: g * b + g**2 / (2.0 * a),
}
ENTROPY = {
    "value": lambda x, w: np.where(x > 0, w * x * np.log(np.maximum(x, 1e-300)), np.where(x == 0, 0.0, INF)),
    "prox": lambda v, t, w: t * w * wrightomega(v / (t * w) - 1.0 - np.log(t * w)),
    "conjugate": lambda g, w: w * np.exp(np.minimum(g / w - 1.0, 700.0)),
}


def program(seed, terms, upper=INF, rows=4, columns=8):
    rng = np.random.default_rng(seed)
    K = rng.random((rows, columns)) + 0.1
    return LinearProgram(
        0.2 * rng.standard_normal(columns), K, row_upper=K @ rng.random(columns), upper=np.full(columns, upper),
        terms=terms,
    )  # fmt: skip


@pytest.mark.parametrize("upper", [INF, 0.3])
@pytest.mark.parametrize("kind", ["log", "square"])
def test_the_same_answer_as_a_built_in_term(backend, kind, upper):
    """Columns of both sorts in one program; bounds that bind; scales of columns that differ."""
    rng = np.random.default_rng(5)
    at, a, b = np.array([0, 2, 3, 7]), rng.uniform(0.5, 2.0, 4), rng.uniform(0.1, 0.5, 4)
    built = SeparableTerms.linear(8)
    built.kind[at], built.a[at], built.b[at] = TermKind.LOG if kind == "log" else TermKind.QUADRATIC, a, b
    built.kind[5], built.a[5], built.b[5] = TermKind.HARMONY, 1.0, 0.4
    mixed = SeparableTerms.linear(8)
    mixed.kind[5], mixed.a[5], mixed.b[5] = TermKind.HARMONY, 1.0, 0.4
    own = mixed.with_user(at, **(LOG if kind == "log" else SQUARE), parameters=[a, b])
    theirs = solve_lp(program(1, built, upper), 1e-9, backend=backend)
    ours = solve_lp(program(1, own, upper), 1e-9, backend=backend)
    assert ours.status is theirs.status is Status.OPTIMAL
    assert ours.objective == pytest.approx(theirs.objective, rel=1e-8)
    assert ours.dual_objective == pytest.approx(theirs.dual_objective, rel=1e-8)
    np.testing.assert_allclose(ours.x, theirs.x, atol=1e-4)  # the root of the gap
    check = verify_lp(program(1, own, upper), ours)
    assert check.ok, check.reasons


@pytest.mark.parametrize("seed", [3, 4])
def test_entropy_equals_clarabel(seed):
    cp = pytest.importorskip("cvxpy")
    w = np.random.default_rng(seed).uniform(0.5, 2.0, 8)
    lp = program(seed, SeparableTerms.linear(8).with_user(range(8), **ENTROPY, parameters=[w]))
    found = solve_lp(lp, 1e-9)
    assert found.status is Status.OPTIMAL
    x = cp.Variable(8)
    rows = [lp.K @ x <= lp.row_upper, x >= 0]
    exact = cp.Problem(cp.Minimize(lp.c @ x - w @ cp.entr(x)), rows).solve(solver="CLARABEL")
    assert found.objective == pytest.approx(exact, rel=1e-6)
    np.testing.assert_allclose(found.x, x.value, atol=1e-4)


def test_the_bound_is_the_conjugates():
    """Stopped early, the dual objective is still a bound wherever the dual residual is nothing."""
    w = np.ones(8)
    lp = program(7, SeparableTerms.linear(8).with_user(range(8), **ENTROPY, parameters=[w]))
    best = solve_lp(lp, 1e-9).objective
    for limit in (5, 10, 20):
        early = solve_lp(lp, 1e-12, iteration_limit=limit, options=PdhgOptions(check_every=5))
        assert early.status is Status.ITERATION_LIMIT
        assert early.info.dual_residual == 0.0
        assert early.dual_objective <= best + 1e-8


def test_compiled_functions_are_used_as_they_are():
    import math

    import numba

    @numba.vectorize(["float64(float64, float64, float64)"])
    def prox(v, t, a):
        return 0.5 * v + math.sqrt(0.25 * v * v + t * a)

    @numba.njit
    def value(x, a):
        return -a * np.log(x)

    given = {"value": value, "prox": prox, "conjugate": lambda g, a: LOG["conjugate"](g, a, 0.0)}
    own = SeparableTerms.linear(8).with_user(range(8), **given, parameters=[np.ones(8)])
    kind = np.full(8, TermKind.LOG, np.uint8)
    built = SeparableTerms(kind, np.ones(8), np.zeros(8), np.zeros(8))
    ours, theirs = solve_lp(program(2, own), 1e-8), solve_lp(program(2, built), 1e-8)
    assert ours.objective == pytest.approx(theirs.objective, rel=1e-7)


WRONG = {
    "prox of a step twice as long": {"prox": lambda v, t, a, b: LOG["prox"](v, 2.0 * t, a, b)},
    "prox of another weight": {"prox": lambda v, t, a, b: LOG["prox"](v, t, 1.1 * a, b)},
    "a conjugate too small": {"conjugate": lambda g, a, b: LOG["conjugate"](g, a, b) - 1e-4},
    "a conjugate too large": {"conjugate": lambda g, a, b: LOG["conjugate"](g, a, b) + 1e-4},
    "the conjugate of minus g": {"conjugate": lambda g, a, b: LOG["conjugate"](-g, a, b)},
    "a value that is concave": {"value": lambda x, a, b: -LOG["value"](x, a, b)},
    "no number": {"value": lambda x, a, b: np.full_like(x, np.nan)},
    "no number for small steps": {"prox": lambda v, t, a, b: np.where(t < 0.1, np.nan, LOG["prox"](v, t, a, b))},
    "a shape of its own": {"conjugate": lambda g, a, b: np.zeros(g.size + 1)},
}


@pytest.mark.parametrize("wrong", WRONG)
def test_functions_that_do_not_belong_together_are_refused(wrong):
    name = next(iter(WRONG[wrong]))
    with pytest.raises(ProblemError, match=name):
        SeparableTerms.linear(3).with_user([0, 2], **(LOG | WRONG[wrong]), parameters=[1.0, 0.2])


def test_an_inequality_that_fails_away_from_the_touching_points_is_seen():
    """Not convex: the prox finds a local minimum, and value + conjugate touches there, but not from above elsewhere."""
    soft = lambda v, t: np.sign(v) * np.maximum(np.abs(v) - t, 0.0)  # noqa: E731
    wave = {
        "value": lambda x: np.abs(np.abs(x) - 1.0),
        "prox": lambda v, t: np.where(v >= 0, 1.0, -1.0) * (1.0 + soft(np.abs(v) - 1.0, t)),
        "conjugate": lambda g: np.where(np.abs(g) <= 1.0, np.abs(g), INF),
    }
    with pytest.raises(ProblemError):
        SeparableTerms.linear(1).with_user([0], **wave)


def test_kinds_and_parameters_are_checked():
    with pytest.raises(ProblemError, match="parameters"):
        SeparableTerms.linear(3).with_user([0, 2], **LOG, parameters=[np.ones(3), 0.1])
    kind = np.array([TermKind.USER], np.uint8)
    with pytest.raises(ProblemError, match="USER"):
        LinearProgram([1.0], np.eye(1), terms=SeparableTerms(kind, np.ones(1), np.ones(1), np.zeros(1)))


def test_a_checkpoint_knows_one_function_from_another(tmp_path):
    make = lambda w: SeparableTerms.linear(8).with_user(range(8), **ENTROPY, parameters=[w])  # noqa: E731
    solve_lp(program(7, make(1.0)), 1e-9, checkpoint=tmp_path, iteration_limit=200)
    with pytest.raises(ProblemError, match="another problem"):
        solve_lp(program(7, make(1.5)), 1e-9, checkpoint=tmp_path)
    assert solve_lp(program(7, make(1.0)), 1e-9, checkpoint=tmp_path).status is Status.OPTIMAL


def test_no_direction_along_a_users_function_proves_anything():
    """It may grow faster than any cost falls."""
    own = SeparableTerms.linear(1).with_user([0], **SQUARE, parameters=[1e-3, 0.0])
    lp = LinearProgram([-1.0], np.ones((1, 1)), row_lower=[0.0], terms=own)
    found = solve_lp(lp, 1e-6)
    assert found.status is Status.OPTIMAL
    assert found.objective == pytest.approx(-500.0, rel=1e-5)


# ---- plans ---------------------------------------------------------------------------------------------------------
def logarithm(epsilon=0.1, **more):
    """LogUtility, given as a user would."""
    return kt.UserUtility(
        value=lambda f, e: np.where(f + e > 0, np.log(np.maximum(f + e, 1e-300)), -INF),
        prox=lambda v, t, e: 0.5 * (v - e) + np.sqrt(0.25 * (v + e) ** 2 + t),
        conjugate=lambda p, e: np.where(p > 0, e * p - 1.0 - np.log(np.maximum(p, 1e-300)), INF),
        parameters={"epsilon": epsilon},
        **more,
    )


@pytest.mark.parametrize("capacities", [{}, {"iron": 30.0}])
def test_a_plan_for_a_users_utility_is_certified(capacities):
    eco = plan_folders.economy()
    given = {"limits": {"HOURS": "90%"}, "capacities": capacities}
    weights = {"iron": 2.0}
    built = kt.Plan(eco, objective=kt.LogUtility(epsilon=0.1, weights=weights), **given).solve(1e-7)
    own = kt.Plan(eco, objective=logarithm(weights=weights), **given).solve(1e-7)
    assert own.status is Status.OPTIMAL
    assert own.gap <= 1e-7
    assert own.lower_bound <= built.upper_bound
    assert own.upper_bound >= built.lower_bound
    assert own.objective == pytest.approx(built.objective, rel=1e-6)
    np.testing.assert_allclose(own.consumption, built.consumption, rtol=1e-3)
    np.testing.assert_allclose(own.prices, built.prices, rtol=1e-3)


def test_parameters_of_a_utility_may_differ_by_product():
    epsilon = {"grain": 0.3, "iron": 0.1, "cloth": 0.2}
    plan = kt.Plan(plan_folders.economy(), objective=logarithm(epsilon), limits={"HOURS": "90%"})
    result = plan.solve(1e-7)
    f = result.consumption / plan.targets
    # At the optimum every product's price is its marginal utility.
    marginal = 1.0 / (f + plan_folders.pd.Series(epsilon)) / plan.targets
    np.testing.assert_allclose(result.prices, marginal, rtol=1e-3)


def test_what_a_users_utility_cannot_do_is_said(tmp_path):
    plan = kt.Plan(plan_folders.economy(), objective=logarithm(), limits={"HOURS": "90%"})
    with pytest.raises(OptionError, match="user"):
        plan.solve(method="reduced")
    with pytest.raises(ProblemError, match="user"):
        plan.solve(1e-4).save(tmp_path / "plan")
    with pytest.raises(ProblemError, match="epsilon"):
        kt.Plan(plan_folders.economy(), objective=logarithm({"coal": 1.0}), limits={"HOURS": "90%"})
