"""Certificates of infeasibility: found where they exist, refused everywhere else."""

import numpy as np
import pytest
import scipy.sparse as sp

from kantor.data.datasets import data_folder
from kantor.errors import ProblemError
from kantor.solvers.lp import solve_lp
from kantor.solvers.mps import read_mps
from kantor.solvers.problem import LinearProgram
from kantor.solvers.rays import default_reach, farkas_ray, polish, recession_ray
from kantor.solvers.solution import Status
from kantor.solvers.verify import verify_lp

INF = np.inf


def assert_infeasible(lp, solution):
    assert solution.status is Status.PRIMAL_INFEASIBLE
    assert np.linalg.norm(solution.y) == pytest.approx(1.0)
    np.testing.assert_allclose(solution.reduced_costs, -(lp.K.T @ solution.y))
    assert np.isnan(solution.objective)
    check = verify_lp(lp, solution)
    assert check.ok, check.reasons
    assert check.certificate > check.certificate_slack


def test_two_techniques_above_the_carbon_cap(case, backend):
    data = case("two_techniques_and_a_carbon_cap")["inputs"]
    factors, make = np.array(data["factors"], dtype=float), np.array(data["make"], dtype=float)
    K = np.vstack([make.T, factors[1]])
    cost = np.array(data["factor_prices"], dtype=float) @ factors

    def lp(demand):
        return LinearProgram(cost, K, [demand, -INF], [INF, data["factor_limits"][1]])

    assert_infeasible(lp(2.6), solve_lp(lp(2.6), backend=backend, iteration_limit=20_000))
    edge = solve_lp(lp(2.5), 1e-8, backend=backend)
    assert edge.status is Status.OPTIMAL
    assert edge.objective == pytest.approx(7.5, rel=1e-6)


def test_maximisation_keeps_the_sign_of_the_certificate():
    lp = LinearProgram([-1.0, -1.0], np.array([[1.0, 1.0], [1.0, 1.0]]), [3.0, -INF], [INF, 2.0], maximise=True)
    assert_infeasible(lp, solve_lp(lp, backend="reference", iteration_limit=20_000))


def test_contradiction_among_bounds_and_equalities():
    rng = np.random.default_rng(19)
    for seed in range(8):
        rng = np.random.default_rng(seed)
        K = rng.integers(-3, 4, (6, 10)).astype(float)
        y = rng.integers(-2, 3, 6).astype(float)
        y[0] = 1.0
        b = rng.integers(-3, 4, 6).astype(float)
        lower, upper = np.zeros(10), np.where(K.T @ y > 0, 2.0, INF)  # y'K x <= most, and y'b is made larger
        most = 2.0 * np.maximum(K.T @ y, 0.0).sum()
        b[0] += most - y @ b + 1.0
        lp = LinearProgram(rng.random(10), K, b, b, lower, upper)
        assert farkas_ray(lp, y) is not None
        assert_infeasible(lp, solve_lp(lp, backend="auto", iteration_limit=20_000))


NETLIB = ["galenet", "woodinfe", "ex72a", "bgetam", "cplex1", "klein1"]


@pytest.mark.parametrize("name", NETLIB)
def test_netlib_infeasible(name):
    try:
        folder = data_folder("netlib_infeasible")
    except ProblemError as error:
        pytest.skip(str(error))
    lp = read_mps(folder / f"{name}.mps.gz")
    assert_infeasible(lp, solve_lp(lp, iteration_limit=20_000))


@pytest.mark.parametrize("name", ["galenet", "woodinfe", "bgetam"])
def test_netlib_infeasible_in_extreme_units(name):
    try:
        folder = data_folder("netlib_infeasible")
    except ProblemError as error:
        pytest.skip(str(error))
    lp, rng = read_mps(folder / f"{name}.mps.gz"), np.random.default_rng(4)
    row, column = (np.exp2(np.rint(6.0 * rng.standard_normal(n))) for n in lp.shape)
    other = LinearProgram(
        lp.c / column, sp.diags_array(row) @ lp.K @ sp.diags_array(1.0 / column), lp.row_lower * row,
        lp.row_upper * row, lp.lower * column, lp.upper * column,
    )  # fmt: skip
    for method in ("auto", "pdhg"):
        assert_infeasible(other, solve_lp(other, method=method, iteration_limit=20_000))


def test_unbounded_program_gives_a_direction():
    lp = LinearProgram([-1.0, 0.0], np.array([[1.0, -1.0]]), row_upper=[1.0])
    solution = solve_lp(lp, backend="reference", iteration_limit=20_000)
    assert solution.status is Status.DUAL_INFEASIBLE
    assert "unbounded" in solution.info.why
    assert lp.c @ solution.x < 0
    assert verify_lp(lp, solution).ok


def test_both_infeasible_is_told_as_infeasible():
    # x - y <= -1 and x - y >= 1 contradict each other; z falls for ever.
    lp = LinearProgram([0.0, 0.0, -1.0], np.array([[1.0, -1.0, 0.0], [1.0, -1.0, 0.0], [1.0, 0.0, -1.0]]),
                       [-INF, 1.0, -INF], [-1.0, INF, 5.0])  # fmt: skip
    assert_infeasible(lp, solve_lp(lp, backend="reference", iteration_limit=20_000))


# ---- a feasible program is never called infeasible ----------------------------------------------------------
@pytest.mark.parametrize("power", [3, 6, 9, 10, 11])
def test_feasible_only_far_away(power):
    """x >= 1 + (1 - t) y and y >= x, solvable with x = y = 1/t: the multipliers (1, 1) are nearly a Farkas ray."""
    t = 10.0**-power
    lp = LinearProgram(np.zeros(2), np.array([[1.0, -(1.0 - t)], [-1.0, 1.0]]), [1.0, 0.0])
    assert farkas_ray(lp, np.array([1.0, 1.0])) is None
    assert solve_lp(lp, backend="auto", iteration_limit=4000).status is not Status.PRIMAL_INFEASIBLE


def test_a_tiny_coefficient_is_a_coefficient():
    lp = LinearProgram([1.0], sp.csr_array([[1e-9]]), row_lower=[1.0])
    assert farkas_ray(lp, np.ones(1)) is None
    assert solve_lp(lp, backend="reference", iteration_limit=2000).status is not Status.PRIMAL_INFEASIBLE


def test_the_objective_does_not_leak_into_the_ray():
    """Costs that dwarf the sides: c - K'y would look like a certificate, -K'y does not."""
    lp = LinearProgram(1e9 * np.ones(3), np.array([[1.0, 2.0, 1.0]]), row_lower=[1e-6])
    solution = solve_lp(lp, 1e-6, backend="reference", iteration_limit=100_000)
    assert solution.status is Status.OPTIMAL


def test_an_unattained_minimum_is_not_called_infeasible():
    # min x subject to x y-free rows: x >= 0 with a nearly parallel pair; feasible, bounded.
    lp = LinearProgram([1.0, 1.0], np.array([[1.0, 1.0], [1.0, 1.0 + 1e-7]]), [1.0, -INF], [INF, 1.0 + 1e-9])
    assert solve_lp(lp, 1e-6, backend="auto", iteration_limit=100_000).status is Status.OPTIMAL


def test_recession_needs_rows_bounds_and_objective():
    lp = LinearProgram([-1.0, 0.0], np.array([[1.0, -1.0]]), row_upper=[1.0])
    assert recession_ray(lp, np.array([1.0, 1.0])) is not None
    assert recession_ray(lp, np.array([1.0, 0.5])) is None  # leaves the row
    assert recession_ray(lp, np.array([0.0, 1.0])) is None  # lowers nothing
    bounded = LinearProgram([-1.0, 0.0], np.array([[1.0, -1.0]]), row_upper=[1.0], upper=[INF, 9.0])
    assert recession_ray(bounded, np.array([1.0, 1.0])) is None


def test_reach_is_implied_by_rows_and_holds():
    rng = np.random.default_rng(31)
    K = rng.random((4, 6)) * (rng.random((4, 6)) < 0.7)
    x = rng.random(6) * 10
    lp = LinearProgram(np.zeros(6), K, row_upper=K @ x)
    reach = default_reach(lp)
    assert (reach >= x).all()
    in_rows = K.any(axis=0)
    assert (reach[in_rows] < 1e6).all()


def test_polish_makes_a_rough_ray_exact():
    rng = np.random.default_rng(37)
    C = rng.integers(-2, 3, (5, 9)).astype(float)
    v = np.abs(rng.standard_normal(9))
    C[:, 0] -= (C @ v) / v[0]  # C v = 0
    rough = v * (1.0 + 1e-4 * rng.standard_normal(9))
    low, high = np.zeros(5), np.zeros(5)
    smooth = polish(sp.csr_array(C), rough, low, high, 1e-2)
    assert np.abs(C @ smooth).max() < 1e-14
    assert np.abs(smooth / np.linalg.norm(smooth) - v / np.linalg.norm(v)).max() < 1e-3
