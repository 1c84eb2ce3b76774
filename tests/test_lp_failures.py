"""Failures known from other solvers of this kind, each as a test; those not here are tested beside the part they hit
(test_rays, test_presolve, test_verify_lp, test_restart, test_scaling, test_pdhg)."""

import hashlib

import numpy as np
import pytest
import scipy.sparse as sp

from kantor.data.technique_choice import technique_choice as generated_choice
from kantor.errors import ProblemError
from kantor.solvers.lp import solve_lp
from kantor.solvers.options import PdhgOptions
from kantor.solvers.problem import LinearProgram, SeparableTerms, TermKind
from kantor.solvers.program import to_linear_program
from kantor.solvers.solution import Solution, Status
from kantor.solvers.verify import verify_lp

INF = np.inf


def technique_choice(goods=40, techniques=3, resources=2, seed=1):
    """min labour: (B - A) x >= d, R x <= b; feasible, with the resources near what the cheapest plan needs."""
    rng = np.random.default_rng(seed)
    m = goods * techniques
    A = sp.random_array((goods, m), density=0.2, rng=rng).toarray() * (0.6 / (0.2 * goods * 0.5))
    N = np.tile(np.eye(goods), techniques) - A
    labour, R = rng.lognormal(size=m), rng.random((resources, m))
    d = rng.random(goods) * (rng.random(goods) < 0.5)
    cheapest = solve_lp(LinearProgram(labour, N, d), 1e-9, method="highs").x
    rows = np.vstack([N, R])
    low = np.append(d, np.full(resources, -INF))
    high = np.append(np.full(goods, INF), 0.97 * (R @ cheapest))
    return LinearProgram(labour, rows, low, high), np.append(labour[:goods], 1.0 / high[goods:]), labour[:goods]


def rescaled(lp, row, column):
    """The same program with row i counted in units of 1/row[i] and column j in units of column[j]."""
    K = sp.csr_array(sp.diags_array(row) @ lp.K @ sp.diags_array(1.0 / column))
    return LinearProgram(
        lp.c / column, K, lp.row_lower * row, lp.row_upper * row, lp.lower * column, lp.upper * column,
        terms=None if lp.terms is None else lp.terms.scaled(1.0 / column, 1.0),
    )  # fmt: skip


# ---- units ----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("given", [False, True])
@pytest.mark.parametrize("presolve", [False, True])
def test_units_of_goods_do_not_change_the_number_of_iterations(presolve, given):
    """Whether values are given or found, and counted to residuals that know no units; those of the original, which
    solve_lp promises too, do."""
    lp, row_values, good_values = technique_choice()
    values = row_values, np.tile(good_values, lp.shape[1] // good_values.size)

    def iterations(program, value_scaling):
        values = value_scaling if given else None
        solution = solve_lp(program, 1e-8, method="pdhg", presolve=presolve, value_scaling=values)
        assert solution.status is Status.OPTIMAL
        assert any("read as a plan" in note for note in solution.info.notes) != given
        unitless = [max(e["scaled_residual"], e["gap"]) for e in solution.info.history]
        return next(e["iteration"] for e, u in zip(solution.info.history, unitless, strict=True) if u <= 1e-6)

    base, rng = iterations(lp, values), np.random.default_rng(8)
    for _ in range(3):
        goods = np.exp(4.0 * rng.standard_normal(good_values.size))
        row = np.append(goods, np.exp(4.0 * rng.standard_normal(lp.shape[0] - goods.size)))
        column = np.tile(goods, lp.shape[1] // goods.size)
        count = iterations(rescaled(lp, row, column), (values[0] / row, values[1] / column))
        assert abs(count - base) <= 0.05 * base


def test_extreme_units_do_not_change_the_number_of_iterations_of_a_whole_solve(monkeypatch):
    """Where values cannot be found, logarithmic scales make every lognormal(4) rescaling the same program."""
    monkeypatch.setattr("kantor.solvers.lp.read_plan", lambda lp: (None, "not looked at"))
    lp, _, good_values = technique_choice()
    techniques = lp.shape[1] // good_values.size
    asked = solve_lp(lp, 1e-6, method="pdhg", options=PdhgOptions(log_scaling=True)).info.iterations
    rng = np.random.default_rng(8)
    for _ in range(3):
        goods = np.exp(4.0 * rng.standard_normal(good_values.size))
        row = np.append(goods, np.exp(4.0 * rng.standard_normal(lp.shape[0] - goods.size)))
        other = rescaled(lp, row, np.tile(goods, techniques))
        solution = solve_lp(other, 1e-6, method="pdhg")
        assert solution.status is Status.OPTIMAL
        assert verify_lp(other, solution).ok
        assert abs(solution.info.iterations - asked) <= 0.05 * asked


def test_the_units_of_a_plan_do_not_change_the_number_of_iterations():
    base, wild = (
        to_linear_program(generated_choice(60, resources=3, capacities=0.3, unit_spread=spread, seed=3).program)[0]
        for spread in (0.0, 4.0)
    )
    first, second = (solve_lp(lp, 1e-6, method="planning") for lp in (base, wild))
    assert verify_lp(wild, second).ok
    assert abs(second.info.iterations - first.info.iterations) <= 0.05 * first.info.iterations
    assert second.objective == pytest.approx(first.objective, rel=1e-5)


@pytest.mark.parametrize("presolve", [False, True])
def test_a_feasible_program_is_never_called_infeasible_at_any_scaling(presolve):
    for seed in range(3):
        lp, *_ = technique_choice(goods=15, seed=seed)
        rng = np.random.default_rng(seed)
        for sigma in (2.0, 6.0, 10.0):
            row, column = (np.exp(sigma * rng.standard_normal(n)) for n in lp.shape)
            solution = solve_lp(
                rescaled(lp, row, column), 1e-6, method="pdhg", presolve=presolve, iteration_limit=2000,
            )  # fmt: skip
            assert solution.status in (Status.OPTIMAL, Status.ITERATION_LIMIT), solution.info.why


# ---- shapes ---------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("transposed", [False, True])
def test_a_row_or_column_of_a_million_nonzeros(transposed):
    n = 1_000_000
    K = sp.csr_array((np.ones(n), np.zeros(n, np.int32), np.arange(n + 1)), shape=(n, 1))
    if transposed:
        lp, optimum = LinearProgram([2.0], K, row_lower=np.full(n, 3.0)), 6.0
    else:
        lp, optimum = LinearProgram(np.ones(n), K.T.tocsr(), row_lower=[0.5 * n], upper=np.ones(n)), 0.5 * n
    options = PdhgOptions(check_every=20)
    solution = solve_lp(lp, 1e-4, method="pdhg", presolve=False, options=options, iteration_limit=400)
    assert solution.status is Status.OPTIMAL
    assert solution.objective == pytest.approx(optimum, rel=1e-3)


def test_the_same_program_written_in_other_ways_has_the_same_answer():
    """Duplicate entries, zero and duplicate rows, a free column, bounds as rows, max for min, 1e20 for infinity."""
    lp, *_ = technique_choice(goods=8)
    N = lp.shape[1]
    base = solve_lp(lp, 1e-8, method="pdhg")
    coo = lp.K.tocoo()
    twice = sp.coo_array((np.tile(coo.data / 2, 2), (np.tile(coo.row, 2), np.tile(coo.col, 2))), shape=coo.shape)
    high20, low20 = np.minimum(lp.row_upper, 1e20), np.maximum(lp.row_lower, -1e20)
    forms = {
        "duplicate entries": LinearProgram(lp.c, twice, lp.row_lower, lp.row_upper),
        "zero rows": LinearProgram(lp.c, sp.vstack([lp.K, sp.csr_array((2, N))]), np.append(lp.row_lower, [0, -1]),
                                   np.append(lp.row_upper, [0, 1])),
        "duplicate rows": LinearProgram(lp.c, sp.vstack([lp.K, 2 * lp.K]), np.append(lp.row_lower, 2 * lp.row_lower),
                                        np.append(lp.row_upper, 2 * lp.row_upper)),
        "bounds as rows": LinearProgram(lp.c, sp.vstack([lp.K, sp.eye_array(N)]), np.append(lp.row_lower, np.zeros(N)),
                                        np.append(lp.row_upper, np.full(N, INF)), lower=np.full(N, -INF)),
        "a maximum": LinearProgram(lp.c, lp.K, lp.row_lower, lp.row_upper, maximise=True),
        "1e20": LinearProgram(lp.c, lp.K, low20, high20, upper=np.full(N, 1e20)),
        "a free column": LinearProgram(np.append(lp.c, 0.0), sp.block_diag([lp.K, sp.csr_array([[1.0]])]),
                                       np.append(lp.row_lower, 3.0), np.append(lp.row_upper, 3.0),
                                       lower=np.append(np.zeros(N), -INF)),
    }  # fmt: skip
    for name, form in forms.items():
        for presolve in (False, True):
            solution = solve_lp(form, 1e-8, method="pdhg", presolve=presolve)
            assert solution.status is Status.OPTIMAL, name
            assert verify_lp(form, solution).ok, name
            expected = -base.objective if name == "a maximum" else base.objective
            assert solution.objective == pytest.approx(expected, rel=1e-6), name


def test_ten_runs_give_one_hash(backend):
    lp, *_ = technique_choice(goods=6)
    seen = set()
    for _ in range(10):
        solution = solve_lp(lp, 1e-6, method="pdhg", backend=backend)
        seen.add(hashlib.sha256(solution.x.tobytes() + solution.y.tobytes()).hexdigest())
    assert len(seen) == 1


# ---- warm starts ----------------------------------------------------------------------------------------------
@pytest.mark.parametrize("presolve", [False, True])
def test_a_warm_start_with_changed_bounds_is_finite_and_right(presolve):
    lp, *_ = technique_choice(goods=12)
    first = solve_lp(lp, 1e-7, method="pdhg", presolve=presolve)
    upper = np.where(np.arange(lp.shape[1]) % 7 == 0, 0.5 * first.x, INF)
    changed = LinearProgram(lp.c, lp.K, lp.row_lower, lp.row_upper * 1.05, upper=upper)
    exact = solve_lp(changed, 1e-9, method="highs")
    warm = solve_lp(changed, 1e-7, method="pdhg", backend="reference", presolve=presolve, warm_start=first)
    assert warm.status is exact.status
    assert np.isfinite([warm.objective, warm.dual_objective]).all()
    assert warm.objective == pytest.approx(exact.objective, rel=1e-5)


# ---- what is claimed ------------------------------------------------------------------------------------------
def test_a_small_relative_residual_does_not_hide_an_absolute_error():
    """One side of 1e9 makes any error of the others small; the absolute and the value-weighted residuals show it."""
    lp = LinearProgram([1.0, 1.0], np.eye(2), row_lower=[1e9, 1.0], row_upper=[1e9, 1.0])
    x, y = np.array([1e9, 0.0]), np.ones(2)
    near = Solution(x, y, np.zeros(2), 1e9, 1e9 + 1.0, Status.OPTIMAL)
    check = verify_lp(lp, near, tolerance=1e-6)
    assert check.primal_residual < 1e-8
    assert check.primal_absolute == 1.0
    assert check.primal_value == pytest.approx(1.0 / (1.0 + 1e9))
    honest = LinearProgram([1.0, 1.0], np.eye(2), row_lower=[3.0, 1.0], row_upper=[3.0, 1.0])
    check = verify_lp(honest, Solution(np.array([3.0, 0.0]), y, np.zeros(2), 3.0, 4.0, Status.OPTIMAL), tolerance=1e-6)
    assert check.primal_value == pytest.approx(0.25)


@pytest.mark.parametrize("method", ["auto", "pdhg"])
def test_unbounded_is_not_called_infeasible(method):
    lp = LinearProgram([-1.0, 0.0], np.array([[1.0, -1.0]]), row_upper=[2.0])
    solution = solve_lp(lp, method=method)
    assert solution.status is Status.DUAL_INFEASIBLE
    assert verify_lp(lp, solution).ok


def test_auto_takes_the_simplex_method_for_small_programs_and_says_so():
    lp, *_ = technique_choice(goods=8)
    small = solve_lp(lp)
    assert small.info.method == "highs"
    assert "simplex" in small.info.why
    assert verify_lp(lp, small).ok
    for asked in ({"backend": "reference"}, {"warm_start": small}, {"method": "pdhg"}):
        assert solve_lp(lp, **asked).info.method == "pdhg"


# ---- programs without an optimum -------------------------------------------------------------------------------
def two_goods(kind, exponent, last_row, limit):
    """max utility of two goods made by two techniques; ``last_row`` of (techniques, goods) is at most ``limit``."""
    K = np.array([[1.0, -0.2, -1.0, 0.0], [-0.3, 1.0, 0.0, -1.0], last_row])
    code = np.array([0, 0, kind, kind], np.uint8)
    b = np.zeros(4) if kind == TermKind.LOG else np.ones(4)
    terms = SeparableTerms(code, np.array([0.0, 0.0, 1.0, 1.0]), b, np.full(4, exponent))
    return LinearProgram(np.zeros(4), K, [0.0, 0.0, -INF], [INF, INF, limit], terms=terms)


@pytest.mark.parametrize(("kind", "exponent"), [(TermKind.LOG, 1.0), (TermKind.POWER, 2.0)])
def test_a_limit_of_zero_is_stated_where_utility_is_minus_infinity(kind, exponent):
    lp = two_goods(kind, exponent, [1.0, 2.0, 0.0, 0.0], 0.0)
    solution = solve_lp(lp)
    assert solution.status is Status.PRIMAL_INFEASIBLE
    assert solution.info.iterations == 0
    assert kind.name in solution.info.why
    assert verify_lp(lp, solution).ok
    doubtful = Solution(solution.x, solution.y * [1.0, 1.0, 0.0], 0, 0, 0, solution.status, solution.info)
    assert not verify_lp(lp, doubtful).ok
    assert solve_lp(two_goods(kind, exponent, [1.0, 2.0, 0.0, 0.0], 1.0)).status is Status.OPTIMAL
    harmless = two_goods(TermKind.HYPERBOLIC, 1.1, [1.0, 2.0, 0.0, 0.0], 0.0)
    assert solve_lp(harmless).status is Status.OPTIMAL


@pytest.mark.parametrize(("kind", "exponent"), [(TermKind.HYPERBOLIC, 1.1), (TermKind.POWER, 2.0)])
def test_a_free_good_whose_utility_is_best_at_infinity_is_named(kind, exponent):
    with pytest.raises(ProblemError, match=f"column 2.*{kind.name}.*infinity"):
        solve_lp(two_goods(kind, exponent, [0.0, 0.0, 0.0, 1.0], 1.0))
    assert solve_lp(two_goods(kind, exponent, [1.0, 2.0, 0.0, 0.0], 1.0)).status is Status.OPTIMAL


def test_the_time_limit_holds_in_presolve_and_scaling(monkeypatch):
    lp, *_ = technique_choice(goods=8)
    for presolve in (False, True):
        solution = solve_lp(lp, method="pdhg", presolve=presolve, time_limit_s=1e-9)
        assert solution.status is Status.TIME_LIMIT
        assert solution.info.iterations == 0
        assert (solution.x >= lp.lower).all()
        assert verify_lp(lp, solution).ok


# ---- claims ---------------------------------------------------------------------------------------------------
def thirds(seed=4):
    """Entries that no float32 holds, and an optimum that depends on them."""
    rng = np.random.default_rng(seed)
    K = rng.integers(1, 30, (12, 20)) / 3.0
    return LinearProgram(rng.random(20) + 0.1, K, row_lower=K @ rng.random(20))


def in_float32(lp):
    return LinearProgram(lp.c, lp.K.astype(np.float32).astype(np.float64), lp.row_lower, lp.row_upper)


def test_an_answer_to_the_rounded_matrix_is_no_answer():
    """What a solver in single precision calls optimal, the verifier in double precision refuses."""
    lp = thirds()
    rounded = solve_lp(in_float32(lp), 1e-10, method="highs")
    assert rounded.status is Status.OPTIMAL
    assert verify_lp(in_float32(lp), rounded).ok
    check = verify_lp(lp, rounded)
    assert not check.ok
    assert check.primal_residual > 1e-10


@pytest.mark.parametrize("refine", [False, True])
def test_iterations_in_float32_claim_nothing_that_float64_does_not_confirm(monkeypatch, refine):
    """They stand still short of the tolerance; refinement, whose residuals are in double precision, gets there."""
    from kantor.backends.reference import ReferenceBackend as ReferenceBackend

    honest = ReferenceBackend.prepare
    single = lambda self, matrix, **options: honest(self, matrix, **(options | {"values": "float32"}))  # noqa: E731
    monkeypatch.setattr(ReferenceBackend, "prepare", single)
    lp = thirds()
    found = solve_lp(
        lp, 1e-10, method="pdhg", backend="reference", presolve=False, iteration_limit=10_000,
        options=PdhgOptions(refine=refine, polish=False, log_scaling=False),
    )  # fmt: skip
    assert (found.status is Status.OPTIMAL) == refine
    check = verify_lp(lp, found)
    assert check.ok, check.reasons
    assert max(found.info.primal_residual, found.info.dual_residual) < 1e-6


@pytest.mark.parametrize("seed", range(4))
def test_presolve_does_not_cost_iterations(seed):
    """What is left after presolve is no harder for the iterations; where it would be, that is at most this much."""
    from test_lp_presolve import reducible

    lp = reducible(seed, goods=30)
    plain, reduced = (
        solve_lp(lp, 1e-6, method="pdhg", presolve=presolve, iteration_limit=100_000) for presolve in (False, True)
    )
    assert plain.status is reduced.status is Status.OPTIMAL
    assert any("presolve:" in note for note in reduced.info.notes)
    assert reduced.info.iterations <= 1.25 * plain.info.iterations + 200
