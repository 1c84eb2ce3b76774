"""Separable concave objectives: conjugates against brute force, optima against other methods, certified gaps."""

import numpy as np
import pytest
import scipy.sparse as sp
from scipy.optimize import minimize

from kantor.errors import OptionError, ProblemError
from kantor.solvers import terms as separable
from kantor.solvers.lp import solve_lp
from kantor.solvers.problem import LinearProgram, SeparableTerms, TermKind
from kantor.solvers.solution import Status
from kantor.solvers.verify import verify_lp

INF = np.inf
CURVED = [TermKind.QUADRATIC, TermKind.HARMONY, TermKind.LOG, TermKind.POWER, TermKind.HYPERBOLIC]


def terms_of(kind, a, b=1.0, e=2.0):
    a = np.atleast_1d(np.asarray(a, dtype=float))
    full = lambda v: np.broadcast_to(np.asarray(v, dtype=float), a.shape).copy()  # noqa: E731
    return SeparableTerms(np.full(a.shape, kind, np.uint8), a, full(b), full(e))


# ---- the formulas -------------------------------------------------------------------------------------------
@pytest.mark.parametrize("kind", CURVED)
@pytest.mark.parametrize("e", [0.5, 2.0])
def test_slope_is_the_derivative_of_the_value(kind, e):
    t, x, h = terms_of(kind, [0.7, 2.0, 1.3], [0.5, 1.0, 3.0], e), np.array([0.2, 1.5, 2.9]), 1e-6
    numeric = (separable.value(t, x + h) - separable.value(t, x - h)) / (2 * h)
    np.testing.assert_allclose(separable.slope(t, x), numeric, rtol=1e-7)


@pytest.mark.parametrize("kind", CURVED)
@pytest.mark.parametrize("e", [0.5, 1.7])
@pytest.mark.parametrize("rho", [-2.0, -0.1, 0.0, 0.05, 0.8, 1.5, 7.0])
def test_infimum_on_an_interval_against_a_grid(kind, e, rho):
    t = terms_of(kind, 1.4, 0.8, e)
    for low, high in ((0.01, 3.0), (0.5, 0.5), (0.9, 40.0)):
        grid = np.linspace(low, high, 200_001)
        many = SeparableTerms(*(np.broadcast_to(v, grid.shape) for v in (t.kind, t.a, t.b, t.e)))
        brute = np.min(rho * grid + separable.value(many, grid))
        got = separable.infimum(t, np.array([rho]), np.array([low]), np.array([high]))[0]
        assert got == pytest.approx(brute, abs=2e-5)
        assert got <= brute + 1e-12


@pytest.mark.parametrize(
    ("kind", "e", "rho", "expected"),
    [
        (TermKind.HARMONY, 0.0, 1.0, 1.0),
        (TermKind.HARMONY, 0.0, 0.0, -INF),
        (TermKind.HARMONY, 0.0, 2.5, 1.5),
        (TermKind.LOG, 0.0, 0.5, 1.0 - np.log(2.0) - 0.5),
        (TermKind.LOG, 0.0, -1.0, -INF),
        (TermKind.POWER, 2.0, 0.0, 0.0),
        (TermKind.POWER, 2.0, 1.0, 2.0),
        (TermKind.POWER, 0.5, 0.0, -INF),
        (TermKind.POWER, 0.5, 1.0, -1.0),
        (TermKind.HYPERBOLIC, 1.1, 0.0, -1.0),
        (TermKind.HYPERBOLIC, 1.1, -0.1, -INF),
        (TermKind.QUADRATIC, 0.0, -3.0, -3.0 - 4.5),
        (TermKind.LINEAR, 0.0, 2.0, 0.0),
        (TermKind.LINEAR, 0.0, -1.0, -INF),
    ],
)
def test_infimum_without_upper_bound(kind, e, rho, expected):
    t = terms_of(kind, 1.0, 1.0, e)
    assert separable.infimum(t, np.array([rho]), np.zeros(1), np.full(1, INF))[0] == pytest.approx(expected)


def test_admissible_part_where_marginal_utility_never_falls_so_far():
    t, x = terms_of(TermKind.LOG, [1.0, 1.0], 0.0), np.array([2.0, 4.0])
    part, low = separable.admissible(t, np.array([-3.0, 0.25]), x, np.zeros(2), np.full(2, INF))
    np.testing.assert_allclose(part, [0.5, 0.25])
    np.testing.assert_allclose(low, [1.0 - np.log(2.0), 1.0 - np.log(4.0)])


# ---- optima -------------------------------------------------------------------------------------------------
def solved(lp, tolerance=1e-8, **options):
    solution = solve_lp(lp, tolerance, **options)
    assert solution.status is Status.OPTIMAL, solution.info.why
    check = verify_lp(lp, solution)
    assert check.ok, check.reasons
    assert (
        solution.dual_objective * (-1 if lp.maximise else 1) <= solution.objective * (-1 if lp.maximise else 1) + 1e-6
    )
    return solution


def test_weighted_log_shares_a_budget_by_weight(backend):
    """max sum w ln x, p.x <= m has x_j = w_j m / (p_j sum w) and multiplier sum w / m."""
    w, p, m = np.array([1.0, 2.0, 5.0]), np.array([0.5, 3.0, 40.0]), 12.0
    lp = LinearProgram(np.zeros(3), p[None, :], row_upper=[m], terms=terms_of(TermKind.LOG, w, 0.0), maximise=True)
    solution = solved(lp, backend=backend)
    np.testing.assert_allclose(solution.x, w * m / (p * w.sum()), rtol=1e-6)
    assert solution.y[0] == pytest.approx(w.sum() / m, rel=1e-6)
    assert solution.objective == pytest.approx(w @ np.log(w * m / (p * w.sum())), rel=1e-7)


def test_power_utility_has_its_closed_form(backend):
    a, p, m, e = np.array([1.0, 4.0, 0.3]), np.array([1.0, 2.0, 0.2]), 5.0, 1.5
    lp = LinearProgram(np.zeros(3), p[None, :], row_upper=[m], terms=terms_of(TermKind.POWER, a, 1.0, e))
    x = (a / p) ** (1 / e)
    x *= m / (p @ x)
    solution = solved(lp, backend=backend)
    np.testing.assert_allclose(solution.x, x, rtol=1e-6)


def test_quadratic_is_a_projection(backend):
    """min 1/2 |x - v|^2 over the simplex."""
    v = np.array([0.9, 0.4, -0.3, 0.35])
    lp = LinearProgram(np.zeros(4), np.ones((1, 4)), [1.0], [1.0], terms=terms_of(TermKind.QUADRATIC, np.ones(4), v))
    solution = solved(lp, 1e-9, backend=backend)
    np.testing.assert_allclose(solution.x, [0.9 - 0.65 / 3, 0.4 - 0.65 / 3, 0.0, 0.35 - 0.65 / 3], atol=1e-7)


@pytest.mark.parametrize("kind", CURVED)
def test_against_a_general_method(kind):
    """Twelve columns, four inequality rows, box: SLSQP on the same problem."""
    rng = np.random.default_rng(int(kind))
    n, m = 12, 4
    K, x0 = rng.random((m, n)), rng.random(n) + 0.5
    t = terms_of(kind, rng.random(n) + 0.2, rng.random(n) + 0.5, 1.6)
    c = 0.1 * rng.standard_normal(n)
    lp = LinearProgram(c, K, row_upper=K @ x0, lower=np.full(n, 0.01), upper=np.full(n, 3.0), terms=t)
    other = minimize(
        lambda x: c @ x + separable.value(t, x).sum(), x0, jac=lambda x: c + separable.slope(t, x), method="SLSQP",
        bounds=[(0.01, 3.0)] * n, constraints={"type": "ineq", "fun": lambda x: K @ (x0 - x), "jac": lambda x: -K},
        options={"ftol": 1e-13, "maxiter": 500},
    )  # fmt: skip
    solution = solved(lp)
    assert solution.objective == pytest.approx(other.fun, rel=1e-6, abs=1e-7)
    np.testing.assert_allclose(solution.x, other.x, atol=1e-3)


def test_mixed_kinds_and_linear_columns_together():
    rng = np.random.default_rng(53)
    n = 10
    kinds = np.array([0, 0, 1, 1, 2, 2, 3, 4, 5, 5], np.uint8)
    t = SeparableTerms(kinds, rng.random(n) + 0.5, rng.random(n) + 0.5, np.full(n, 1.3))
    K = np.vstack([np.hstack([np.eye(2), -rng.random((2, 8))]), rng.random((1, n))])
    lp = LinearProgram(
        np.where(kinds == 0, 0.3, 0.0), K, [0.0, 0.0, -INF], [INF, INF, 8.0], terms=t, offset=2.5, maximise=True
    )
    solution = solved(lp)
    assert solution.objective == pytest.approx(-(lp.c @ solution.x + separable.value(t, solution.x).sum() + 2.5))
    assert abs(solution.objective - solution.dual_objective) <= 1e-7 * (1 + abs(solution.objective)) * 2


def test_harmony_of_the_four_good_five_year_plan(case):
    data = case("harmony_cockshott")
    lp, targets, consumption = five_year_harmony(data["inputs"])
    solution = solved(lp, 1e-9, iteration_limit=2_000_000)
    assert solution.objective == pytest.approx(data["expected"]["objective"], rel=1e-7)
    for t, row in enumerate(data["expected"]["fulfilment"]):
        for i, expected in enumerate(row):
            if expected is not None:
                got = solution.x[consumption[t, i]] / targets[t, i]
                assert got == pytest.approx(expected, rel=1e-3, abs=1e-3)


def five_year_harmony(inputs):
    """The case's model with X, K, J, C as columns (F and N eliminated: F = flow X / output)."""
    flow, capital, wear = (np.array(inputs[k], dtype=float) for k in ("flow", "capital", "depreciation"))
    output, labour = np.array(inputs["output"], dtype=float), np.array(inputs["labour"], dtype=float)
    targets, supply = np.array(inputs["targets"], dtype=float), np.array(inputs["labour_supply"], dtype=float)
    years, n = targets.shape
    names = iter(range(10**6))
    X = np.array([[next(names) for _ in range(n)] for _ in range(years)])
    C = np.array([[next(names) for _ in range(n)] for _ in range(years)])
    stock, made = (
        np.array([[[next(names) for _ in range(n)] for _ in range(n)] for _ in range(years)]) for _ in range(2)
    )
    columns, entries, upper = next(names), [], []

    def row(pairs, side):
        entries.extend((len(upper), j, v) for j, v in pairs)
        upper.append(side)

    for t in range(years):
        row([(X[t, p], labour[p] / output[p]) for p in range(n)], supply[t])
        for i in range(n):
            used = [(X[t, p], flow[i, p] / output[p] - (p == i)) for p in range(n)]
            row([(C[t, i], 1.0), *used, *((made[t, i, p], 1.0) for p in range(n))], 0.0)
        for s in range(n):
            for p in range(n):
                if capital[s, p] > 0:
                    row([(X[t, p], capital[s, p] / output[p]), (stock[t, s, p], -1.0)], 0.0)
                if t == 0:
                    row([(stock[0, s, p], 1.0)], capital[s, p])
                else:
                    row([(stock[t, s, p], 1.0), (stock[t - 1, s, p], wear[s, p] - 1.0), (made[t - 1, s, p], -1.0)], 0.0)
    i, j, v = (np.array(part) for part in zip(*entries, strict=True))
    t = SeparableTerms.linear(columns)
    at = C[targets > 0]
    t.kind[at], t.a[at], t.b[at] = TermKind.HARMONY, 1.0, targets[targets > 0]
    K = sp.coo_array((v, (i, j)), shape=(len(upper), columns))
    return LinearProgram(np.zeros(columns), K, row_upper=np.array(upper), terms=t, maximise=True), targets, C


# ---- the door -----------------------------------------------------------------------------------------------
def test_terms_outside_their_domain_are_named():
    for kind in (TermKind.HARMONY, TermKind.LOG, TermKind.POWER, TermKind.HYPERBOLIC):
        with pytest.raises(ProblemError, match=r"lower\[0\] = -1.0"):
            LinearProgram([0.0], np.ones((1, 1)), row_upper=[1.0], lower=[-1.0], terms=terms_of(kind, 1.0))
    with pytest.raises(ProblemError, match=r"upper\[0\]"):
        LinearProgram([0.0], np.ones((1, 1)), upper=[0.0], terms=terms_of(TermKind.LOG, 1.0, 0.0))
    with pytest.raises(ProblemError, match="column 0 has kind HARMONY"):
        LinearProgram([0.0], np.ones((1, 1)), terms=terms_of(TermKind.HARMONY, 1.0, -1.0))


def test_a_term_without_rows_is_settled_at_once():
    free_row = LinearProgram([1.0, 0.0], np.zeros((1, 2)), terms=terms_of(TermKind.LOG, [2.0, 0.0], 0.5))
    solution = solved(free_row)
    assert solution.info.iterations == 0
    assert solution.x.tolist() == [1.5, 0.0]
    endless = LinearProgram([0.0], np.zeros((1, 1)), terms=terms_of(TermKind.LOG, 2.0, 0.5))
    assert solve_lp(endless).status is Status.DUAL_INFEASIBLE
    assert verify_lp(endless, solve_lp(endless)).ok
    with pytest.raises(ProblemError, match="best only at infinity"):
        solve_lp(LinearProgram([0.0], np.zeros((1, 1)), terms=terms_of(TermKind.HYPERBOLIC, 2.0, 0.5)))


def test_simplex_and_projections_refuse_terms():
    lp = LinearProgram([0.0], np.ones((1, 1)), row_upper=[1.0], terms=terms_of(TermKind.LOG, 1.0))
    with pytest.raises(OptionError, match="concave"):
        solve_lp(lp, method="highs")
    with pytest.raises(OptionError, match="terms"):
        solve_lp(lp, projection=lambda x: x)
