"""Concave programs beside Clarabel, an interior-point method, through cvxpy; skipped where cvxpy is not installed."""

import numpy as np
import pytest

from kantor.solvers.lp import solve_lp
from kantor.solvers.problem import LinearProgram, SeparableTerms, TermKind
from kantor.solvers.solution import Status
from kantor.solvers.verify import verify_lp

INF = np.inf


def utility(cvxpy, kind, consumption, a, b, e):
    """sum of U_i as a cvxpy expression."""
    if kind == TermKind.LOG:
        parts = cvxpy.multiply(a, cvxpy.log(consumption + b))
    elif kind == TermKind.QUADRATIC:
        parts = -cvxpy.multiply(0.5 * a, cvxpy.square(consumption - b))
    elif kind == TermKind.POWER:
        parts = cvxpy.multiply(a / (1 - e), cvxpy.power(consumption, 1 - e))
    elif kind == TermKind.HYPERBOLIC:
        parts = a - cvxpy.multiply(a * e, cvxpy.inv_pos(e + consumption / b))
    else:  # HARMONY
        s = consumption / b - 1
        low, high = cvxpy.Variable(a.size), cvxpy.Variable(a.size)
        # s = low + high with low <= 0 <= high: H(s) is the largest of (low - low^2/2) + ln(1 + high), since H' falls.
        constraints = [low + high == s, low <= 0, high >= 0]
        return cvxpy.sum(cvxpy.multiply(a, low - cvxpy.square(low) / 2 + cvxpy.log1p(high))), constraints
    return cvxpy.sum(parts), []


@pytest.mark.parametrize(
    ("kind", "e"),
    [(TermKind.LOG, 0.0), (TermKind.QUADRATIC, 0.0), (TermKind.HARMONY, 0.0), (TermKind.POWER, 0.5),
     (TermKind.POWER, 2.0), (TermKind.HYPERBOLIC, 1.1)],
)  # fmt: skip
def test_a_plan_for_consumption_has_clarabels_optimum(kind, e):
    cvxpy = pytest.importorskip("cvxpy", reason="cvxpy is not installed; pip install cvxpy clarabel")
    rng = np.random.default_rng(int(kind))
    n = 8
    N = np.eye(n) - rng.random((n, n)) * (rng.random((n, n)) < 0.4) * 0.25
    labour = rng.random(n) + 0.2
    a, b = rng.random(n) + 0.5, rng.random(n) + 0.5
    full = SeparableTerms(
        np.array([0] * n + [kind] * n, np.uint8), np.append(np.zeros(n), a), np.append(np.ones(n), b), np.full(2 * n, e)
    )
    K = np.vstack([np.hstack([N, -np.eye(n)]), np.append(labour, np.zeros(n))])
    lp = LinearProgram(np.zeros(2 * n), K, np.append(np.zeros(n), -INF), np.append(np.full(n, INF), 3.0), terms=full)
    ours = solve_lp(lp, 1e-9)
    assert ours.status is Status.OPTIMAL
    assert verify_lp(lp, ours).ok
    x, C = cvxpy.Variable(n, nonneg=True), cvxpy.Variable(n, nonneg=True)
    value, more = utility(cvxpy, kind, C, a, b, e)
    problem = cvxpy.Problem(cvxpy.Maximize(value), [N @ x >= C, labour @ x <= 3.0, *more])
    problem.solve(solver="CLARABEL")
    assert -ours.objective == pytest.approx(problem.value, rel=1e-6, abs=1e-6)
    np.testing.assert_allclose(ours.x[n:], C.value, rtol=1e-3, atol=1e-3)
