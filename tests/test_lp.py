"""solve_lp on published cases, Netlib, odd shapes, senses and warm starts; each answer is checked by verify_lp."""

import csv

import numpy as np
import pytest
import scipy.sparse as sp

from kantor.data.datasets import data_folder
from kantor.errors import OptionError, ProblemError
from kantor.solvers.lp import solve_lp
from kantor.solvers.mps import read_mps
from kantor.solvers.options import PdhgOptions
from kantor.solvers.problem import LinearProgram
from kantor.solvers.solution import NotOptimal, Solution, Status
from kantor.solvers.verify import verify_lp

INF = np.inf


def solved(lp, tolerance=1e-8, **options):
    solution = solve_lp(lp, tolerance, **options)
    assert solution.status is Status.OPTIMAL, solution.info.why
    check = verify_lp(lp, solution)
    assert check.ok, check.reasons
    return solution


# ---- published cases ----------------------------------------------------------------------------------------
def test_kantorovich_machines(case, backend):
    data = case("kantorovich_machines")
    inputs, expected = data["inputs"], data["expected"]
    rate, sets = np.array(inputs["rate"], dtype=float), np.array(inputs["assortment"], dtype=float)
    groups, goods = rate.shape
    columns = [np.append(rate[i, j] * np.eye(goods)[j], np.eye(groups)[i]) for i in range(groups) for j in range(goods)]
    K = np.column_stack([*columns, np.append(-sets, np.zeros(groups))])
    c = np.append(np.zeros(groups * goods), -1.0)
    machines = np.array(inputs["machines"], dtype=float)
    lp = LinearProgram(
        c, K, np.append(np.zeros(goods), np.full(groups, -INF)), np.append(np.full(goods, INF), machines), maximise=True
    )
    solution = solved(lp, backend=backend)
    assert solution.objective == pytest.approx(expected["objective"], rel=1e-7)
    # Maximisation: y is d(sets)/d(side): negative on the goods rows, the rents on the machine rows.
    np.testing.assert_allclose(-solution.y[:goods], expected["multipliers"], rtol=1e-6)
    np.testing.assert_allclose(solution.y[goods:], expected["rents"], rtol=1e-6)
    np.testing.assert_allclose(solution.x[:-1].reshape(groups, goods), expected["machine_time"], atol=1e-5)


def rcot(inputs, demand):
    make, use = np.array(inputs["make"], dtype=float), np.array(inputs["use"], dtype=float)
    factors = np.array(inputs["factors"], dtype=float)
    limits = np.array([INF if v is None else v for v in inputs["factor_limits"]], dtype=float)
    goods = len(demand)
    K = np.vstack([make.T - use, factors])
    lower, upper = np.append(demand, np.full(len(limits), -INF)), np.append(np.full(goods, INF), limits)
    return LinearProgram(np.array(inputs["factor_prices"], dtype=float) @ factors, K, lower, upper)


@pytest.mark.parametrize("name", ["rcot_base", "rcot_without_factor_limits"])
def test_choice_of_technique(case, name):
    data = case(name)
    expected = data["expected"]
    solution = solved(rcot(data["inputs"], data["inputs"]["final_demand"]))
    assert solution.objective == pytest.approx(expected["objective"], rel=1e-7)
    assert solution.dual_objective == pytest.approx(expected["objective"], rel=1e-7)
    if "activity" in data["unique"]:
        np.testing.assert_allclose(solution.x, expected["activity"], rtol=1e-5, atol=1e-6)


def test_two_techniques_prices_and_rents(case):
    data = case("two_techniques_and_a_carbon_cap")
    for name in ("demand 1", "demand 5/3", "demand 2"):
        demand = data["scenarios"][name]["final_demand"]
        solution = solved(rcot(data["inputs"], demand), 1e-9)
        expected = data["expected"][name]
        assert solution.objective == pytest.approx(expected["objective"], rel=1e-7)
        np.testing.assert_allclose(solution.x, expected["activity"], atol=1e-6)
        if "prices" in expected:
            np.testing.assert_allclose(solution.y[:1], expected["prices"], atol=1e-6)
            np.testing.assert_allclose(-solution.y[1:], expected["rents"], atol=1e-6)


def netlib(name):
    try:
        folder = data_folder("netlib")
    except ProblemError as error:
        pytest.skip(str(error))
    with (folder / "optima.csv").open() as table:
        optimum = {row["name"]: float(row["optimum"]) for row in csv.DictReader(table)}[name]
    return read_mps(folder / f"{name}.mps.gz"), optimum


@pytest.mark.parametrize("tolerance", [1e-4, 1e-6])
@pytest.mark.parametrize(
    "name",
    ["afiro", "sc50a", "sc50b", "adlittle", "kb2", "share2b", "sc105", "scagr25", "israel", "e226", "recipe", "fit1d"],
)
def test_netlib(name, tolerance):
    lp, optimum = netlib(name)
    solution = solved(lp, tolerance, method="pdhg")
    # The gap and both residuals are within the tolerance, relative to the data: so is the objective, up to their sizes.
    assert solution.objective == pytest.approx(optimum, rel=20 * tolerance)


@pytest.mark.parametrize("name", ["afiro", "adlittle", "sc50a"])
def test_simplex_agrees(name):
    lp, optimum = netlib(name)
    solution = solved(lp, 1e-9, method="highs")
    assert solution.info.method == "highs"
    assert solution.objective == pytest.approx(optimum, rel=1e-9)
    loose = solved(lp, 1e-6)
    assert loose.objective == pytest.approx(solution.objective, rel=1e-5)


def test_simplex_takes_limits_and_a_warm_start():
    lp, optimum = netlib("adlittle")
    cut = solve_lp(lp, 1e-9, method="highs", iteration_limit=3)
    assert cut.status is Status.ITERATION_LIMIT
    assert cut.info.iterations <= 3
    full = solved(lp, 1e-9, method="highs")
    again = solved(lp, 1e-9, method="highs", warm_start=full)
    assert again.info.iterations == 0
    assert again.objective == pytest.approx(optimum, rel=1e-9)
    assert solved(lp, 1e-9, method="highs", warm_start=(np.ones(97), None)).info.iterations > 0


def test_random_programs_agree_with_simplex():
    """Status and optimum on small programs of every kind: infeasible, unbounded, free, fixed, ranged, empty parts."""
    seen = set()
    for seed in range(60):
        rng = np.random.default_rng(1000 + seed)
        rows, columns = rng.integers(0, 8, 2)
        K = np.where(rng.random((rows, columns)) < 0.5, rng.integers(-4, 5, (rows, columns)), 0).astype(float)

        def interval(size, rng=rng):
            low = rng.integers(-5, 4, size).astype(float)
            high = low + rng.integers(0, 6, size)
            return np.where(rng.random(size) < 0.4, -INF, low), np.where(rng.random(size) < 0.4, INF, high)

        lp = LinearProgram(
            rng.integers(-3, 6, columns).astype(float), sp.csr_array(K), *interval(rows), *interval(columns),
            offset=float(rng.integers(-2, 3)), maximise=bool(seed % 3 == 0),
        )  # fmt: skip
        exact, ours = solve_lp(lp, 1e-9, method="highs"), solve_lp(lp, 1e-7, iteration_limit=100_000)
        assert ours.status is exact.status, (seed, exact.status, ours.status)
        for solution in (exact, ours):
            check = verify_lp(lp, solution)
            assert check.ok, (seed, check.reasons)
        if exact.status is Status.OPTIMAL:
            assert ours.objective == pytest.approx(exact.objective, rel=1e-5, abs=1e-5)
        seen.add(exact.status)
    assert seen == {Status.OPTIMAL, Status.PRIMAL_INFEASIBLE, Status.DUAL_INFEASIBLE}


# ---- senses and signs ---------------------------------------------------------------------------------------
def test_maximum_is_minus_the_minimum_of_minus():
    rng = np.random.default_rng(41)
    K, b = rng.random((4, 6)), rng.random(4) + 1
    minimised = LinearProgram(-rng.random(6), K, row_upper=b, offset=2.0)
    maximised = LinearProgram(minimised.c, K, row_upper=b, offset=2.0, maximise=True)
    low, high = solved(minimised), solved(maximised)
    np.testing.assert_array_equal(low.x, high.x)
    np.testing.assert_array_equal(low.y, -high.y)
    np.testing.assert_array_equal(low.reduced_costs, -high.reduced_costs)
    assert (low.objective, low.dual_objective) == (-high.objective, -high.dual_objective)
    assert (high.y >= 0).all()  # more of a scarce resource never lowers the maximum


@pytest.mark.parametrize("maximise", [False, True])
def test_y_is_the_derivative_of_the_objective(maximise):
    K, b = np.array([[1.0, 2.0], [3.0, 1.0]]), np.array([4.0, 6.0])

    def program(sides):
        if maximise:
            return LinearProgram([-1.0, -1.0], K, row_upper=sides, maximise=True)
        return LinearProgram([1.0, 1.0], K, row_lower=sides)

    base = solved(program(b), 1e-10)
    for i in range(2):
        step = 1e-3 * np.eye(2)[i]
        ahead, behind = (solved(program(b + s), 1e-10).objective for s in (step, -step))
        assert base.y[i] == pytest.approx((ahead - behind) / 2e-3, abs=1e-5)


# ---- shapes and bounds --------------------------------------------------------------------------------------
def test_no_rows():
    lp = LinearProgram([1.0, -1.0, 0.0], sp.csr_array((0, 3)), lower=[-2.0, 0.0, -1.0], upper=[5.0, 4.0, 1.0])
    solution = solved(lp, backend="reference")
    assert solution.x.tolist() == [-2.0, 4.0, 0.0]
    assert (solution.objective, solution.y.shape, solution.info.iterations) == (-6.0, (0,), 0)


def test_no_columns():
    feasible = LinearProgram(np.zeros(0), sp.csr_array((2, 0)), [-1.0, -INF], [1.0, 0.0], offset=3.0)
    assert solved(feasible).objective == 3.0
    infeasible = LinearProgram(np.zeros(0), sp.csr_array((2, 0)), [-1.0, 2.0], [1.0, INF])
    solution = solve_lp(infeasible)
    assert solution.status is Status.PRIMAL_INFEASIBLE
    assert verify_lp(infeasible, solution).ok


def test_no_entries_and_explicit_zeros():
    stored = sp.csr_array((np.zeros(2), np.array([0, 1]), np.array([0, 1, 2])), shape=(2, 2))
    for K in (sp.csr_array((2, 2)), stored):
        assert solved(LinearProgram([1.0, 2.0], K, [-1.0, 0.0], [1.0, 0.0])).objective == 0.0
        unbounded = LinearProgram([1.0, -2.0], K, [-1.0, 0.0], [1.0, 0.0])
        solution = solve_lp(unbounded)
        assert solution.status is Status.DUAL_INFEASIBLE
        assert solution.x.tolist() == [0.0, 1.0]
        assert verify_lp(unbounded, solution).ok


def test_empty_fixed_free_and_duplicate_parts_together():
    K = np.array([[1.0, 1.0, 0.0, 1.0, 1.0], [0.0] * 5, [1.0, 1.0, 0.0, 1.0, 1.0], [5.0, 0.0, 0.0, 1.0, -1.0]])
    lp = LinearProgram(
        [1.0, 1.0, -2.0, 3.0, 2.0], K, [4.0, -1.0, 4.0, -INF], [INF, 1.0, INF, INF],
        lower=[0.0, 0.0, -1.0, 1.5, -2.0], upper=[INF, INF, 3.0, 1.5, 1.0],
    )  # fmt: skip
    solution = solved(lp)
    exact = solved(lp, method="highs")
    assert solution.objective == pytest.approx(exact.objective, rel=1e-7)
    assert solution.x[2] == 3.0
    assert solution.x[3] == 1.5
    assert solution.y[1] == solution.y[3] == 0.0


def test_a_column_that_only_free_rows_hold_is_unlimited():
    lp = LinearProgram([1.0, -1.0], np.array([[1.0, 0.0], [0.0, 1.0]]), [1.0, -INF])
    solution = solve_lp(lp, backend="reference")
    assert solution.status is Status.DUAL_INFEASIBLE
    assert verify_lp(lp, solution).ok


def test_bounds_as_rows_give_the_same_optimum():
    rng = np.random.default_rng(43)
    K, d, cap = rng.random((3, 5)), rng.random(3), rng.random(5) + 0.5
    boxed = LinearProgram(rng.random(5), K, d, upper=cap)
    rowed = LinearProgram(
        boxed.c, np.vstack([K, np.eye(5)]), np.append(d, np.full(5, -INF)), np.append(np.full(3, INF), cap)
    )
    assert solved(rowed).objective == pytest.approx(solved(boxed).objective, rel=1e-6)


def test_huge_numbers_are_infinite_bounds():
    lp = LinearProgram([1.0], np.array([[1.0]]), row_lower=[2.0], row_upper=[1e20], upper=[1e30])
    assert np.isinf([lp.row_upper[0], lp.upper[0]]).all()
    assert solved(lp).x[0] == pytest.approx(2.0)


def test_a_matrix_given_in_pieces_is_left_alone():
    K = sp.csr_matrix((np.array([1.0, 2.0]), np.array([0, 0]), np.array([0, 2])), shape=(1, 1))  # 1 + 2 in one place
    assert solved(LinearProgram([1.0], K, row_lower=[6.0])).x[0] == pytest.approx(2.0)
    assert K.data.tolist() == [1.0, 2.0]


# ---- warm starts --------------------------------------------------------------------------------------------
def test_warm_start_from_the_optimum_needs_no_iterations():
    lp, _ = netlib("adlittle")
    first = solved(lp, 1e-6, method="pdhg")
    for start in (first, (first.x, first.y)):
        again = solved(lp, 1e-6, warm_start=start)
        assert again.info.iterations == 0
        np.testing.assert_allclose(again.x, first.x, rtol=1e-12, atol=1e-12)
        assert again.info.notes == ["presolve left out: the start is optimal"]


def test_warm_start_survives_changed_sides():
    lp, _ = netlib("scagr25")
    first = solved(lp, 1e-6)
    bounded = np.isfinite(lp.row_upper) & (lp.row_lower != lp.row_upper)
    changed = LinearProgram(
        lp.c, lp.K, lp.row_lower, np.where(bounded, lp.row_upper * 1.001, lp.row_upper), lp.lower, lp.upper
    )
    cold, warm = solved(changed, 1e-6, method="pdhg"), solved(changed, 1e-6, method="pdhg", warm_start=first)
    assert warm.info.iterations < cold.info.iterations
    assert warm.objective == pytest.approx(cold.objective, rel=1e-4)


def test_warm_start_in_the_users_sense():
    K, b = np.array([[1.0, 2.0], [3.0, 1.0]]), np.array([4.0, 6.0])
    lp = LinearProgram([-1.0, -1.0], K, row_upper=b, maximise=True)
    first = solved(lp, 1e-8)
    assert solved(lp, 1e-8, warm_start=(first.x, first.y)).info.iterations == 0


def test_half_a_warm_start_and_points_outside_are_fine():
    lp, optimum = netlib("afiro")
    for start in ((np.full(32, -5.0), None), (None, np.full(27, 7.0)), (None, None)):
        assert solved(lp, 1e-6, warm_start=start).objective == pytest.approx(optimum, rel=1e-4)


@pytest.mark.parametrize(
    ("start", "words"),
    [
        ((np.zeros(3), None), "warm_start x: shape"),
        ((None, np.full(27, np.nan)), r"warm_start y\[0\]"),
        (5, "warm_start"),
        ((np.zeros(32), np.zeros(1)), "warm_start y: shape"),
        (("far", None), "warm_start x"),
    ],
)
def test_a_wrong_warm_start_is_named(start, words):
    lp, _ = netlib("afiro")
    with pytest.raises(ProblemError, match=words):
        solve_lp(lp, warm_start=start)


# ---- the door -----------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"c": [1.0, np.nan]}, r"c\[1\]"),
        ({"c": [1.0]}, "c: shape"),
        ({"c": ["a", "b"]}, "c: expected"),
        ({"K": np.array([[1.0, INF]])}, r"K: entry \(0, 1\)"),
        ({"row_lower": [2.0], "row_upper": [1.0]}, r"row_lower\[0\] = "),
        ({"lower": [0.0, 3.0], "upper": [1.0, 2.0]}, r"lower\[1\] = "),
        ({"lower": [INF, 0.0]}, r"lower\[0\]"),
        ({"row_upper": [np.nan]}, r"row_upper\[0\]"),
        ({"K": np.array([1.0, 2.0])}, "2-D"),
        ({"offset": np.nan}, "offset"),
        ({"K": np.array([[1j, 0.0]])}, "complex"),
    ],
)
def test_wrong_programs_are_named(wrong, words):
    good = {"c": [1.0, 1.0], "K": np.array([[1.0, 1.0]]), "row_lower": [1.0]}
    with pytest.raises(ProblemError, match=words):
        LinearProgram(**{**good, **wrong})


def test_options_that_do_not_fit_are_refused():
    lp = LinearProgram([1.0], np.array([[1.0]]), row_lower=[1.0])
    with pytest.raises(OptionError, match="did you mean 'highs'"):
        solve_lp(lp, method="high")
    with pytest.raises(OptionError, match="value_scaling"):
        solve_lp(lp, method="highs", value_scaling=(np.ones(1), np.ones(1)))
    with pytest.raises(OptionError, match="options"):
        solve_lp(lp, method="highs", options=PdhgOptions())
    with pytest.raises(ProblemError, match="LinearProgram"):
        solve_lp("lp")


def test_raise_for_status_is_the_users_choice():
    lp = LinearProgram([1.0], np.array([[1.0]]), row_lower=[1.0])
    solution = solve_lp(lp, 1e-12, backend="reference", iteration_limit=0, presolve=False)
    assert isinstance(solution, Solution)
    with pytest.raises(NotOptimal, match="iteration limit"):
        solution.raise_for_status()


# ---- units -----------------------------------------------------------------------------------------------------------
def test_a_large_unit_does_not_hide_the_plan():
    """max t, goods counted in 1e-12 of their demand: x = t = 0 has residuals of 1e-12 and is no optimum."""
    K = np.array([[1.0, 0.0, -1e12], [-0.3, 1.0, -2e12], [1e-5, 2e-5, 0.0]])
    lp = LinearProgram([0.0, 0.0, -1.0], K, [0.0, 0.0, -INF], [INF, INF, 5e7], maximise=True)
    right = 5.0 / 5.6  # x1 = t e12, x2 = 2.3 t e12: 1e7 t + 4.6e7 t = 5e7
    plain = solve_lp(lp, 1e-6, iteration_limit=20_000)
    assert plain.status is not Status.OPTIMAL or plain.objective == pytest.approx(right, rel=1e-3)
    prices, basket = np.array([2e-5, 2e-5]), 4e7
    valued = solved(lp, 1e-6, value_scaling=(np.append(prices, 1 / 5e7), np.append(prices, basket)))
    assert valued.objective == pytest.approx(right, rel=1e-5)


def test_the_units_of_costs_and_sides_do_not_matter():
    lp, _ = netlib("adlittle")
    base = solve_lp(lp, 1e-15, backend="reference", iteration_limit=400)
    for money, goods in ((2.0**40, 1.0), (2.0**-40, 1.0), (1.0, 2.0**30), (2.0**-20, 2.0**-30)):
        other = LinearProgram(
            money * lp.c, lp.K, goods * lp.row_lower, goods * lp.row_upper, goods * lp.lower, goods * lp.upper
        )
        solution = solve_lp(other, 1e-15, backend="reference", iteration_limit=400)
        np.testing.assert_allclose(solution.info.history[-1]["weight"], base.info.history[-1]["weight"], rtol=0.05)
        assert solution.info.history[-1]["objective"] == pytest.approx(
            money * goods * base.info.history[-1]["objective"], rel=1e-6
        )


def test_broken_sparse_indices_and_complex_costs_are_caught_at_the_door():
    K = sp.csr_array((np.ones(2), np.array([0, 1]), np.array([0, 1, 2])), shape=(2, 2))
    K.indices[1] = 9
    with pytest.raises(ProblemError, match="K: no valid sparse matrix"):
        LinearProgram(np.ones(2), K)
    with pytest.raises(ProblemError, match="c: has complex entries"):
        LinearProgram(np.ones(2) * 1j, sp.eye_array(2))
