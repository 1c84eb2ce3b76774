"""The verifier finds what is wrong, agrees with the solver where it is right, and shares no code with it."""

import ast
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse as sp

import kantor.solvers.verify as verifier
from kantor.errors import OptionError, ProblemError
from kantor.solvers import terms as separable
from kantor.solvers.lp import solve_lp
from kantor.solvers.problem import FORMULAS, LinearProgram, SeparableTerms
from kantor.solvers.solution import Solution, SolveInfo, Status
from kantor.solvers.termination import residuals
from kantor.solvers.verify import verify_lp
from kantor.solvers.verify_columns import _lowest
from kantor.solvers.wide import Wide, products

INF = np.inf


def example(maximise=False):
    rng = np.random.default_rng(61)
    K = rng.random((5, 8))
    lp = LinearProgram(
        rng.random(8) + 0.1, K, np.append(rng.random(4), -INF), np.append(np.full(4, INF), 9.0),
        upper=np.append(np.full(7, INF), 0.7), offset=1.5, maximise=maximise,
    )  # fmt: skip
    return lp, solve_lp(lp, 1e-9, method="highs")


def test_it_imports_nothing_of_the_solver():
    folder = Path(verifier.__file__).parent
    allowed = {"problem", "solution", "wide", "verify_rays", "verify_columns", "errors"}
    for name in ("verify.py", "verify_rays.py", "verify_columns.py", "wide.py"):
        for node in ast.walk(ast.parse((folder / name).read_text())):
            if isinstance(node, ast.ImportFrom) and node.level:
                assert node.module in allowed, (name, node.module)
                assert node.module is not None


@pytest.mark.parametrize("maximise", [False, True])
def test_a_right_answer_is_confirmed(maximise):
    lp, solution = example(maximise)
    check = verify_lp(lp, solution)
    assert check.ok, check.reasons
    assert check.objective == pytest.approx(solution.objective, rel=1e-12)
    raw = residuals(lp, solution.x, (-1 if maximise else 1) * solution.y)
    assert (check.primal_residual, check.dual_residual) == pytest.approx((raw.primal, raw.dual), abs=1e-14)
    assert check.gap == pytest.approx(raw.gap, abs=1e-13)


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda s: replace(s, x=s.x * (1 - 1e-5)), "primal residual"),
        (lambda s: replace(s, y=s.y * (1 + 1e-5)), "residual|gap"),
        (lambda s: replace(s, y=s.y + 1e-5), "dual residual"),
        (lambda s: replace(s, y=-s.y), "dual residual"),
        (lambda s: replace(s, x=s.x - 1e-9 * (s.x == 0)), "outside its bounds"),
        (lambda s: replace(s, objective=s.objective * (1 + 1e-7)), "objective: reported"),
        (lambda s: replace(s, dual_objective=s.dual_objective + 1e-6), "dual objective: reported"),
        (lambda s: replace(s, x=np.where(np.arange(8) == 3, np.nan, s.x)), "not finite"),
        (lambda s: replace(s, objective=np.nan), "objective: reported"),
    ],
)
@pytest.mark.parametrize("maximise", [False, True])
def test_a_spoiled_answer_is_refused(spoil, words, maximise):
    lp, solution = example(maximise)
    check = verify_lp(lp, spoil(solution))
    assert not check.ok
    assert any(word in reason for reason in check.reasons for word in words.split("|")), check.reasons


def test_swapped_sense_is_noticed():
    lp, solution = example()
    assert not verify_lp(replace(lp, maximise=True), solution).ok


def test_residuals_of_a_wrong_point_are_measured_in_units():
    lp = LinearProgram([1.0], np.array([[2.0]]), row_lower=[4.0], upper=[INF])
    wrong = Solution(np.array([1.0]), np.array([1.0]), np.array([-1.0]), 1.0, 4.0, Status.OPTIMAL)
    check = verify_lp(lp, wrong, tolerance=1e-6)
    assert (check.primal_absolute, check.dual_absolute) == (2.0, 1.0)
    assert (check.primal_residual, check.dual_residual, check.gap) == (2.0 / 5.0, 0.5, 3.0 / 6.0)


def test_shapes_and_tolerance_are_checked():
    lp, solution = example()
    with pytest.raises(ProblemError, match=r"solution.x: shape"):
        verify_lp(lp, replace(solution, x=solution.x[:3]))
    with pytest.raises(OptionError, match="tolerance"):
        verify_lp(lp, replace(solution, info=SolveInfo()))
    with pytest.raises(OptionError, match="tolerance"):
        verify_lp(lp, solution, tolerance=-1.0)


def test_a_limit_only_claims_a_sound_point():
    lp, solution = example()
    stopped = replace(solution, status=Status.TIME_LIMIT, y=0 * solution.y)
    assert verify_lp(lp, stopped).ok
    assert not verify_lp(lp, replace(stopped, x=stopped.x - 1.0)).ok
    assert not verify_lp(lp, replace(stopped, status=Status.NUMERICAL_ERROR)).ok


@pytest.mark.parametrize("kind", FORMULAS[1:])
@pytest.mark.parametrize("e", [0.6, 2.5])
def test_bisection_and_conjugate_agree(kind, e):
    """Two ways to the same infimum: the verifier's search and the solver's closed form."""
    rng = np.random.default_rng(67)
    n = 200
    terms = SeparableTerms(np.full(n, kind, np.uint8), rng.lognormal(0, 2, n), rng.lognormal(0, 2, n), np.full(n, e))
    rho = rng.lognormal(-1, 3, n) * rng.choice([-1.0, 1.0, 1.0], n)
    lower = np.where(rng.random(n) < 0.5, 0.0, rng.random(n))
    upper = np.where(rng.random(n) < 0.5, INF, lower + rng.lognormal(0, 2, n))
    closed = separable.infimum(terms, rho, lower, upper)
    wide = [v.astype(Wide) for v in (terms.a, terms.b, terms.e, rho, lower, upper)]
    searched = np.asarray(_lowest(kind, *wide), dtype=float)
    np.testing.assert_array_equal(np.isfinite(searched), np.isfinite(closed))
    both = np.isfinite(closed)
    np.testing.assert_allclose(searched[both], closed[both], rtol=1e-9, atol=1e-9)


def test_products_are_exact_where_doubles_are_not(monkeypatch):
    K = sp.csr_array(np.array([[1e16, 1.0, -1e16], [0.0, 0.0, 0.0], [2.0, 0.0, 3.0]]))
    monkeypatch.setattr("kantor.solvers.wide._CHUNK", 2)
    down, across = products(K, np.ones(3, Wide), np.ones(3, Wide))
    assert down[1:].tolist() == [0.0, 5.0]
    assert across.tolist() == [Wide(1e16) + 2, 1.0, Wide(-1e16) + 3]
    if np.finfo(Wide).eps < 1e-18:
        assert down[0] == 1.0


# ---- rays ---------------------------------------------------------------------------------------------------
def infeasible():
    """x - y >= 1 and x - y <= 0, with no bound on x or y implied."""
    return LinearProgram(np.ones(2), np.array([[1.0, -1.0], [1.0, -1.0]]), [1.0, -INF], [INF, 0.0])


def ray(status, x=(0.0, 0.0), y=(0.0, 0.0)):
    return Solution(np.array(x), np.array(y), np.zeros(2), np.nan, np.nan, status, SolveInfo(tolerance=1e-6))


@pytest.mark.parametrize(
    ("y", "good"),
    [
        ((1.0, -1.0), True),
        ((5.0, -5.0), True),
        ((1.0, -0.9), False),
        ((1.0, 1.0), False),
        ((-1.0, 1.0), False),
        ((0.0, 0.0), False),
        ((np.nan, 1.0), False),
        ((1.0, -1.0 - 1e-6), False),
    ],
)
def test_farkas_rays(y, good):
    check = verify_lp(infeasible(), ray(Status.PRIMAL_INFEASIBLE, y=y))
    assert check.ok is good, check.reasons
    assert np.isnan(check.primal_residual)


def test_implied_bounds_forgive_a_defect():
    lp = LinearProgram(np.ones(2), np.array([[1.0, 1.0], [1.0, 1.0]]), [3.0, -INF], [INF, 2.0])  # x, y <= 2
    assert verify_lp(lp, ray(Status.PRIMAL_INFEASIBLE, y=(1.0, -0.9))).ok
    assert not verify_lp(lp, ray(Status.PRIMAL_INFEASIBLE, y=(0.01, 0.1))).ok


def test_a_near_ray_of_a_feasible_program_is_refused():
    for t in (1e-6, 1e-9, 1e-10):
        lp = LinearProgram(np.zeros(2), np.array([[1.0, -(1.0 - t)], [-1.0, 1.0]]), [1.0, 0.0])
        assert not verify_lp(lp, ray(Status.PRIMAL_INFEASIBLE, y=(1.0, 1.0))).ok


@pytest.mark.parametrize(
    ("d", "good"),
    [((1.0, 1.0), True), ((1.0, 0.5), False), ((-1.0, -1.0), False), ((0.0, 1.0), False), ((0.0, 0.0), False)],
)
def test_recession_directions(d, good):
    lp = LinearProgram([-1.0, 0.0], np.array([[1.0, -1.0]]), row_upper=[1.0])
    solution = Solution(
        np.array(d), np.zeros(1), np.zeros(2), np.nan, np.nan, Status.DUAL_INFEASIBLE, SolveInfo(tolerance=1e-6)
    )
    assert verify_lp(lp, solution).ok is good
    capped = LinearProgram([-1.0, 0.0], np.array([[1.0, -1.0]]), row_upper=[1.0], upper=[INF, 5.0])
    assert not verify_lp(capped, solution).ok
    bowl = SeparableTerms(np.array([1, 0], np.uint8), np.ones(2), np.zeros(2), np.zeros(2))
    assert not verify_lp(LinearProgram([-1.0, 0.0], np.array([[1.0, -1.0]]), row_upper=[1.0], terms=bowl), solution).ok
