"""solve_leontief and values: published cases, every method on every backend, labels, bad input, statuses."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

from kantor.backends import Backend
from kantor.errors import OptionError, ProblemError
from kantor.solvers.leontief import solve_leontief, values
from kantor.solvers.solution import NotOptimal, Status

METHODS = ["bicgstab", "anderson", "neumann"]
Case = Callable[[str], dict[str, Any]]


def near(got: Any, expected: Any, tolerance: dict[str, Any]) -> None:
    limits = tolerance["default"]
    np.testing.assert_allclose(np.asarray(got), np.asarray(expected), rtol=limits["rtol"], atol=limits["atol"])


def synthetic(n: int, rho: float, seed: int, spread: float = 0.0) -> tuple[sp.csr_array, np.ndarray]:
    """Heavy-tailed suppliers, spectral radius rho, a demand for two goods in five; units of lognormal size."""
    rng = np.random.default_rng([6007, seed])
    popularity = np.minimum(1.0 + rng.pareto(1.1, n), 0.02 * n)
    columns = np.repeat(np.arange(n), 12)
    rows = rng.choice(n, size=columns.size, p=popularity / popularity.sum())
    A = sp.csr_array((rng.lognormal(0.0, 1.2, columns.size), (rows, columns)), shape=(n, n))
    A.sum_duplicates()
    w = np.ones(n)
    for _ in range(300):
        w = A @ (w / w.sum())
    A = A * (rho / w.sum())
    unit = rng.lognormal(0.0, spread, n)
    demand = np.where(rng.random(n) < 0.4, rng.lognormal(0.0, 1.5, n), 0.0) * unit
    return sp.csr_array(sp.diags_array(unit) @ A @ sp.diags_array(1.0 / unit)), demand


def residual(A: Any, d: np.ndarray, x: np.ndarray) -> np.ndarray:
    return np.linalg.norm(d - (x - A @ x), axis=0) / np.linalg.norm(d, axis=0)


# ---- published cases -------------------------------------------------------------------------------------------------
def test_wheat_and_cloth(case: Case, backend: Backend) -> None:
    data = case("leontief_wheat_cloth")
    A, labour = np.array(data["inputs"]["A"]), np.array(data["inputs"]["labour"])
    solution = solve_leontief(A, np.array(data["inputs"]["final_demand"]["base"], float), backend=backend)
    near(solution.x, data["expected"]["gross_output"]["base"], data["tolerance"])
    near(values(A, labour, backend=backend), data["expected"]["labour_values"], data["tolerance"])
    near(labour @ solution.x, data["expected"]["total_labour"]["base"], data["tolerance"])
    inverse = solve_leontief(A, np.eye(2), backend=backend)
    near(inverse.x, data["expected"]["leontief_inverse"], data["tolerance"])


def test_miller_blair(case: Case, backend: Backend) -> None:
    data = case("leontief_miller_blair")
    A = np.array(data["inputs"]["flows"], float) / np.array(data["inputs"]["output"], float)
    for scenario, demand in data["inputs"]["final_demand"].items():
        solution = solve_leontief(A, np.array(demand, float), backend=backend)
        near(solution.x, data["expected"]["gross_output"][scenario], data["tolerance"])
    near(solve_leontief(A, np.eye(2), backend=backend).x, data["expected"]["leontief_inverse"], data["tolerance"])


def test_eu_2006(case: Case, backend: Backend) -> None:
    data = case("leontief_eu_2006")
    inputs, expected = data["inputs"], data["expected"]
    goods = pd.Index(inputs["goods"])
    A = pd.DataFrame(inputs["A"], index=goods, columns=goods)
    demand = pd.DataFrame(inputs["final_demand"], index=goods, dtype=float)
    labour = pd.Series(inputs["labour"], index=goods, dtype=float)
    solution = solve_leontief(A, demand, backend=backend)
    for scenario in demand:
        near(solution.x[scenario], expected["gross_output"][scenario], data["tolerance"])
        near(labour @ solution.x[scenario], expected["total_labour"][scenario], data["tolerance"])
        near(values(A, labour, backend=backend) @ demand[scenario], labour @ solution.x[scenario], data["tolerance"])


def test_labour_values_eu_2006(case: Case, backend: Backend) -> None:
    data = case("labour_values_eu_2006")
    flows, output = np.array(data["inputs"]["flows"], float), np.array(data["inputs"]["output"], float)
    labour = np.array(data["inputs"]["labour"], float)
    v = values(flows / output, labour / output, backend=backend)
    near(v, data["expected"]["labour_values"], data["tolerance"])
    net = output - flows.sum(axis=1)
    near(net, data["expected"]["net_output"], data["tolerance"])
    near(v @ net, labour.sum(), data["tolerance"])


# ---- methods ---------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("transpose", [False, True])
@pytest.mark.parametrize("method", [*METHODS, "auto"])
@pytest.mark.parametrize("k", [None, 1, 4])
def test_methods_reach_the_tolerance(backend: Backend, method: str, k: int | None, transpose: bool) -> None:
    A, d = synthetic(700, 0.8, 1)
    rng = np.random.default_rng(6011)
    D = d if k is None else d[:, None] * rng.random((700, k))
    solution = solve_leontief(A, D, transpose=transpose, method=method, backend=backend)
    M = A.T if transpose else A
    assert solution.status is Status.OPTIMAL
    assert solution.x.shape == solution.error_bound.shape == D.shape
    assert np.max(residual(M, D, solution.x)) <= 1e-10
    np.testing.assert_allclose(solution.residuals, np.atleast_1d(residual(M, D, solution.x)), rtol=1e-3)
    assert solution.residual == solution.residuals.max()
    exact = np.linalg.solve(np.eye(700) - M.toarray(), D)
    assert np.all(np.abs(solution.x - exact) <= solution.error_bound + 1e-13 * np.abs(exact))
    assert np.all(solution.x >= 0.0)


@pytest.mark.parametrize(("rho", "spread"), [(0.5, 0.0), (0.95, 0.0), (0.999, 0.0), (0.8, 4.0)])
@pytest.mark.parametrize("method", ["bicgstab", "anderson"])
def test_long_supply_chains_and_odd_units(method: str, rho: float, spread: float) -> None:
    A, d = synthetic(4000, rho, 2, spread)
    solution = solve_leontief(A, d, method=method)
    assert solution.status is Status.OPTIMAL
    assert solution.iterations < 400
    assert residual(A, d, solution.x) <= 1e-10
    assert np.isfinite(solution.error_bound).all()


def test_units_cost_no_digits() -> None:
    """Goods counted in units that differ by fifteen orders of magnitude: small tables are solved to the last digits."""
    A, d = synthetic(300, 0.8, 18)
    d = d + 0.01
    expected = solve_leontief(A, d).x
    unit = 2.0 ** np.round(np.random.default_rng(6029).normal(0.0, 8.0, 300))  # powers of two: no rounding of the data
    scaled = sp.csr_array(sp.diags_array(unit) @ A @ sp.diags_array(1.0 / unit))
    solution = solve_leontief(scaled, unit * d)
    np.testing.assert_allclose(solution.x / unit, expected, rtol=1e-13)
    assert np.max(solution.error_bound / solution.x) < 1e-12


def test_auto_explains_itself() -> None:
    A, d = synthetic(600, 0.7, 3)
    large = solve_leontief(A, d, error_bound=False)
    assert large.info.method == "bicgstab"
    assert "600 sectors > 512" in large.info.why
    small = solve_leontief(A[:50][:, :50], d[:50] + 1.0, error_bound=False)
    assert small.info.method == "direct"
    assert small.iterations == 0
    assert "50 sectors <= 512" in small.info.why
    warm = solve_leontief(A[:50][:, :50], d[:50] + 1.0, x0=small.x, error_bound=False)
    assert "starting point" in warm.info.why
    assert warm.info.method == "none"
    assert warm.iterations == 0
    np.testing.assert_array_equal(warm.x, small.x)
    asked = solve_leontief(A, d, method="neumann", error_bound=False)
    assert asked.info.method == "neumann"
    assert "asked for" in asked.info.why


def test_columns_of_very_different_difficulty(backend: Backend) -> None:
    """Each column is judged by its own norm, and one that is done is left alone while others go on."""
    A, d = synthetic(700, 0.95, 4)
    easy = np.zeros(700)
    easy[int(np.argmax(A.sum(axis=0) == 0.0))] = 1.0  # needs no inputs: x = d, or nearly
    D = np.stack([d, 1e-200 * d, easy, np.zeros(700), 1e250 * d], axis=1)
    for method in METHODS:
        solution = solve_leontief(A, D, method=method, backend=backend)
        assert solution.status is Status.OPTIMAL
        np.testing.assert_array_equal(solution.x[:, 3], np.zeros(700))
        np.testing.assert_array_equal(solution.error_bound[:, 3], np.zeros(700))
        np.testing.assert_allclose(1e200 * solution.x[:, 1], solution.x[:, 0], rtol=1e-6, atol=1e-9)
        np.testing.assert_allclose(1e-250 * solution.x[:, 4], solution.x[:, 0], rtol=1e-6, atol=1e-9)
        single = solve_leontief(A, d, method=method, backend=backend)
        np.testing.assert_allclose(solution.x[:, 0], single.x, rtol=1e-8, atol=1e-9)


def test_no_demand_needs_no_output(backend: Backend) -> None:
    A, _ = synthetic(600, 0.9, 5)
    for d in (np.zeros(600), np.zeros((600, 2))):
        solution = solve_leontief(A, d, backend=backend)
        assert solution.status is Status.OPTIMAL
        assert solution.iterations == 0
        assert solution.residual == 0.0
        np.testing.assert_array_equal(solution.x, d)
        np.testing.assert_array_equal(solution.error_bound, d)


def test_breakdown_starts_afresh(backend: Backend) -> None:
    """After one step the residual is orthogonal to the shadow residual, exactly: BiCGSTAB has no second direction."""
    A = np.eye(3) - np.array([[1.0, 0.5, -0.5], [1.0, 2.0, 0.3], [1.0, 0.2, 1.7]])
    d = np.array([1.0, 0.0, 0.0])
    solution = solve_leontief(A, d, method="bicgstab", backend=backend)
    assert solution.status is Status.OPTIMAL
    assert solution.iterations == 4  # the lost one, and three for three unknowns
    np.testing.assert_allclose(solution.x, np.linalg.solve(np.eye(3) - A, d), rtol=1e-9)


def test_auto_goes_on_where_bicgstab_cannot_move(backend: Backend) -> None:
    """I - A turns every vector by 90 degrees, so both coefficients of every step are 0."""
    A, d = np.array([[1.0, 0.5], [-0.5, 1.0]]), np.array([1.0, 2.0])
    stuck = solve_leontief(A, d, method="bicgstab", backend=backend)
    assert stuck.status is Status.ITERATION_LIMIT
    assert "stalled" in stuck.info.why
    solution = solve_leontief(A, d, x0=np.zeros(2), backend=backend)
    assert solution.status is Status.OPTIMAL
    np.testing.assert_allclose(solution.x, [4.0, -2.0], rtol=1e-9)
    assert solution.info.method == "bicgstab+anderson"


@pytest.mark.parametrize("method", METHODS)
def test_a_column_that_is_done_is_left_alone(backend: Backend, method: str) -> None:
    """So its residual is the one it ends with when it is solved by itself, while a harder column goes on."""
    parts = [synthetic(300, rho, 17) for rho in (0.3, 0.95)]
    A = sp.csr_array(sp.block_diag([part[0] for part in parts]))
    easy, hard = np.append(parts[0][1], np.zeros(300)), np.append(np.zeros(300), parts[1][1])
    alone = solve_leontief(A, easy, method=method, backend=backend, error_bound=False)
    both = solve_leontief(A, np.stack([easy, hard], axis=1), method=method, backend=backend, error_bound=False)
    assert both.iterations > alone.iterations
    assert both.residuals[0] == pytest.approx(alone.residual, rel=0.05)


def test_starting_point(backend: Backend) -> None:
    A, d = synthetic(700, 0.9, 6)
    cold = solve_leontief(A, d, backend=backend, error_bound=False)
    near_by = solve_leontief(A, 1.0001 * d, x0=cold.x, backend=backend, error_bound=False)
    assert near_by.iterations < cold.iterations
    np.testing.assert_allclose(near_by.x, 1.0001 * cold.x, rtol=1e-6, atol=1e-9)


def test_repeatable_to_the_bit(backend: Backend) -> None:
    A, d = synthetic(3000, 0.9, 7)
    first, second = (solve_leontief(A, d, backend=backend) for _ in range(2))
    assert first.x.tobytes() == second.x.tobytes()
    assert first.error_bound.tobytes() == second.error_bound.tobytes()


def test_signed_demand_and_one_sided_demand(backend: Backend) -> None:
    A, d = synthetic(700, 0.8, 8)
    down = solve_leontief(A, -d, backend=backend)
    assert np.all(down.x <= 0.0)
    signed = d * np.where(np.arange(700) % 3 == 0, -1.0, 1.0)
    mixed = solve_leontief(A, signed, backend=backend)
    assert mixed.status is Status.OPTIMAL
    assert np.isfinite(mixed.error_bound).all()


def test_sparse_kinds_and_memory_order() -> None:
    A, d = synthetic(600, 0.7, 9)
    expected = solve_leontief(A, d, error_bound=False).x
    for same in (
        A.tocsc(),
        A.tocoo(),
        sp.csr_matrix(A),
        A.toarray(),
        np.asfortranarray(A.toarray()),
        A.astype(np.float64),
    ):
        np.testing.assert_allclose(solve_leontief(same, d, error_bound=False).x, expected, rtol=1e-9)
    both = np.stack([d, 2.0 * d], axis=1)
    for same in (both, np.asfortranarray(both), sp.csr_array(both), both.astype(np.float32)):
        np.testing.assert_allclose(solve_leontief(A, same, error_bound=False).x[:, 1], 2.0 * expected, rtol=1e-5)
    whole = solve_leontief(np.array([[0, 0], [0, 0]]), np.array([3, 4]))
    np.testing.assert_array_equal(whole.x, [3.0, 4.0])


# ---- labels ----------------------------------------------------------------------------------------------------------
@pytest.fixture
def labelled() -> tuple[pd.DataFrame, pd.Series]:
    names = ["corn", "iron", "coal"]
    A = pd.DataFrame([[0.1, 0.2, 0.0], [0.3, 0.1, 0.4], [0.0, 0.5, 0.1]], index=names, columns=names)
    return A, pd.Series([1.0, 2.0, 3.0], index=names, name="demand")


def test_labels_are_put_in_order(labelled: tuple[pd.DataFrame, pd.Series]) -> None:
    A, d = labelled
    expected = solve_leontief(A, d)
    assert isinstance(expected.x, pd.Series)
    assert expected.x.name == "demand"
    assert list(expected.error_bound.index) == ["corn", "iron", "coal"]
    shuffled = solve_leontief(A[["coal", "corn", "iron"]], d.loc[["iron", "coal", "corn"]])
    pd.testing.assert_series_equal(shuffled.x, expected.x)
    table = pd.DataFrame({"old": d, "new": 2 * d})
    many = solve_leontief(A.astype(pd.SparseDtype(float, 0.0)), table.loc[["coal", "corn", "iron"]])
    assert list(many.x.columns) == ["old", "new"]
    np.testing.assert_allclose(many.x["new"], 2 * expected.x, rtol=1e-12)
    plain = solve_leontief(A, d.to_numpy())
    pd.testing.assert_series_equal(plain.x, expected.x, check_names=False)
    unlabelled_table = solve_leontief(A.to_numpy(), d)
    pd.testing.assert_series_equal(unlabelled_table.x, expected.x)


def test_values_of_one_factor_several_and_indicators(labelled: tuple[pd.DataFrame, pd.Series]) -> None:
    A, _ = labelled
    inverse = np.linalg.inv(np.eye(3) - A.to_numpy())
    labour, energy = np.array([1.0, 2.0, 0.5]), np.array([0.0, 5.0, 1.0])
    np.testing.assert_allclose(values(A.to_numpy(), labour), labour @ inverse, rtol=1e-12)
    both = np.stack([labour, energy], axis=1)
    np.testing.assert_allclose(values(A.to_numpy(), both), (both.T @ inverse).T, rtol=1e-12)
    indicators = pd.DataFrame([labour, energy], index=["labour", "energy"], columns=A.index)
    found = values(A, indicators[["coal", "iron", "corn"]])
    assert list(found.index) == ["labour", "energy"]
    assert list(found.columns) == list(A.index)
    np.testing.assert_allclose(found, indicators @ inverse, rtol=1e-12)
    series = values(A, pd.Series(labour, index=A.index, name="labour"))
    assert series.name == "labour"
    np.testing.assert_allclose(series, labour @ inverse, rtol=1e-12)


def test_value_added_makes_every_value_one() -> None:
    """l = 1 - column sums of A: what is not bought is added, so each unit of value embodies one."""
    A, _ = synthetic(2000, 0.6, 10)
    A = sp.csr_array(A @ sp.diags_array(0.9 / np.maximum(1.0, A.sum(axis=0))))
    np.testing.assert_allclose(values(A, 1.0 - A.sum(axis=0), tolerance=1e-12), np.ones(2000), rtol=1e-9)


# ---- bad input -------------------------------------------------------------------------------------------------------
def test_entries_that_are_not_finite_are_named(labelled: tuple[pd.DataFrame, pd.Series]) -> None:
    A, d = labelled
    for bad in (np.nan, np.inf, -np.inf):
        broken = A.copy()
        broken.loc["iron", "coal"] = bad
        with pytest.raises(ProblemError, match="A: entry in row 'iron', column 'coal' is"):
            solve_leontief(broken, d)
        for sparse in (sp.csr_array(broken.to_numpy()), sp.csc_array(broken.to_numpy())):
            with pytest.raises(ProblemError, match="row 1, column 2 is"):
                solve_leontief(sparse, d.to_numpy())
        wrong = d.copy()
        wrong["coal"] = bad
        with pytest.raises(ProblemError, match="d: entry 'coal' is"):
            solve_leontief(A, wrong)
        with pytest.raises(ProblemError, match="d: entry 'coal', column 'b' is"):
            solve_leontief(A, pd.DataFrame({"a": d, "b": wrong}))
    with pytest.raises(ProblemError, match="d: entry 1 is nan"):
        solve_leontief(A.to_numpy(), np.array([1.0, np.nan, np.inf]))


def test_labels_that_do_not_match_are_named(labelled: tuple[pd.DataFrame, pd.Series]) -> None:
    A, d = labelled
    with pytest.raises(ProblemError, match="A columns: no entry for 'coal'"):
        solve_leontief(A.rename(columns={"coal": "peat"}), d)
    with pytest.raises(ProblemError, match="d: no entry for 'iron'"):
        solve_leontief(A, d.drop("iron"))
    with pytest.raises(ProblemError, match="d: label 'wine' is not in the table"):
        solve_leontief(A, pd.concat([d, pd.Series({"wine": 1.0})]))
    with pytest.raises(ProblemError, match="d rows: label 'corn' occurs more than once"):
        solve_leontief(A, pd.concat([d, d.iloc[:1]]))
    with pytest.raises(ProblemError, match="A rows: label 'corn' occurs more than once"):
        solve_leontief(A.set_axis(["corn", "corn", "coal"]), d)
    with pytest.raises(ProblemError, match="l: no entry for 'coal'"):
        values(A, pd.DataFrame([[1.0, 2.0]], columns=["corn", "iron"]))


def test_shapes_and_kinds_of_numbers(labelled: tuple[pd.DataFrame, pd.Series]) -> None:
    A, d = labelled
    square = A.to_numpy()
    with pytest.raises(ProblemError, match=r"A: shape \(2, 3\), expected a square table"):
        solve_leontief(square[:2], d.to_numpy())
    with pytest.raises(ProblemError, match="empty"):
        solve_leontief(np.zeros((0, 0)), np.zeros(0))
    with pytest.raises(ProblemError, match="empty"):
        solve_leontief(pd.DataFrame(), np.zeros(0))
    with pytest.raises(ProblemError, match=r"d: shape \(2,\), expected \(3,\)"):
        solve_leontief(square, np.ones(2))
    with pytest.raises(ProblemError, match=r"d: shape \(3, 0\)"):
        solve_leontief(square, np.ones((3, 0)))
    with pytest.raises(ProblemError, match=r"d: shape \(\)"):
        solve_leontief(square, 1.0)
    with pytest.raises(ProblemError, match="A: dtype complex128, expected real numbers"):
        solve_leontief(square + 0j, d.to_numpy())
    with pytest.raises(ProblemError, match="A: dtype complex128"):
        solve_leontief(sp.csr_array(square + 0j), d.to_numpy())
    with pytest.raises(ProblemError, match="A: dtype object"):
        solve_leontief(square.astype(object), d.to_numpy())
    with pytest.raises(ProblemError, match="A: column 'iron' has dtype"):
        solve_leontief(A.astype({"iron": object}), d)
    with pytest.raises(ProblemError, match="d: dtype"):
        solve_leontief(A, pd.Series(["a", "b", "c"], index=A.index))
    with pytest.raises(ProblemError, match=r"x0: shape \(3, 2\), expected \(3,\)"):
        solve_leontief(square, np.ones(3), x0=np.ones((3, 2)))


def test_options_are_checked(labelled: tuple[pd.DataFrame, pd.Series]) -> None:
    A, d = labelled
    for tolerance in (0.0, 1.0, -1e-3, np.nan):
        with pytest.raises(OptionError, match="tolerance"):
            solve_leontief(A, d, tolerance=tolerance)
    with pytest.raises(OptionError, match="max_iterations"):
        solve_leontief(A, d, max_iterations=0)
    with pytest.raises(OptionError, match="did you mean 'neumann'"):
        solve_leontief(A, d, method="neuman")
    with pytest.raises(OptionError, match="takes no starting point"):
        solve_leontief(A, d, method="direct", x0=d)


@pytest.mark.parametrize("method", [*METHODS, "direct", "auto"])
def test_not_productive_is_found_whatever_the_method(backend: Backend, method: str) -> None:
    names = [f"s{i}" for i in range(30)]
    A = np.diag(np.full(30, 0.2))
    A[3, 4] = A[4, 3] = 1.1  # together these two use more than they make
    A[7, 3] = 0.3
    table = pd.DataFrame(A, index=names, columns=names)
    for d in (np.ones(30), -np.ones(30)):
        for bound in (True, False):
            with pytest.raises(ProblemError, match="not productive: the 2 sectors 's3', 's4'"):
                solve_leontief(table, d, method=method, backend=backend, error_bound=bound)
    with pytest.raises(ProblemError, match="'s3', 's4'"):
        values(table, np.ones(30), method=method, backend=backend)
    signed = np.where(np.arange(30) % 2 == 0, 1.0, -1.0)
    with pytest.raises(ProblemError, match="'s3', 's4'"):
        solve_leontief(table, signed, method=method, backend=backend)


def test_names_come_from_the_right_hand_side_if_the_table_has_none() -> None:
    A = sp.csr_array(np.diag([0.5, 1.5]))
    names = pd.Index(["corn", "iron"])
    with pytest.raises(ProblemError, match=r"'iron' uses 1\.5 times"):
        solve_leontief(A, pd.Series([1.0, 1.0], index=names))
    with pytest.raises(ProblemError, match=r"'iron' uses 1\.5 times"):
        values(A, pd.DataFrame([[1.0, 1.0]], index=["labour"], columns=names))


def test_radius_of_exactly_one_does_not_iterate_for_ever() -> None:
    A, d = synthetic(600, 0.9, 11)
    A = sp.csr_array(A @ sp.diags_array(1.0 / np.maximum(A.sum(axis=0), 1e-300)))  # nothing is left over
    with pytest.raises(ProblemError, match="not productive"):
        solve_leontief(A, d)


# ---- statuses --------------------------------------------------------------------------------------------------------
def test_iteration_limit_is_a_status(backend: Backend) -> None:
    A, d = synthetic(700, 0.95, 12)
    solution = solve_leontief(A, d, max_iterations=9, backend=backend)
    assert solution.status is Status.ITERATION_LIMIT
    assert solution.iterations == 9
    assert 1e-10 < solution.residual < 1.0
    assert residual(A, d, solution.x) == pytest.approx(solution.residual, rel=1e-6)
    assert "iteration limit" in solution.info.why
    exact = np.linalg.solve(np.eye(700) - A.toarray(), d)
    assert np.all(np.abs(solution.x - exact) <= solution.error_bound * (1 + 1e-9))
    with pytest.raises(NotOptimal, match="iteration limit"):
        solution.raise_for_status()
    with pytest.raises(NotOptimal):
        values(A, d, max_iterations=3, backend=backend)


@pytest.mark.parametrize("method", [*METHODS, "auto"])
def test_a_tolerance_below_rounding_ends(method: str) -> None:
    A, d = synthetic(600, 0.9, 13)
    solution = solve_leontief(A, d, tolerance=1e-18, method=method)
    assert solution.status is Status.ITERATION_LIMIT
    assert solution.residual < 1e-13
    assert solution.iterations < 10_000


def test_progress_and_interruption() -> None:
    A, d = synthetic(700, 0.95, 14)
    seen: list[dict[str, float]] = []
    solution = solve_leontief(A, d, method="anderson", on_progress=seen.append, error_bound=False)
    assert [entry["iteration"] for entry in seen] == list(range(1, solution.iterations + 1))
    assert seen[-1]["primal_residual"] <= 1e-10
    assert solution.info.history == seen

    def stop(entry: dict[str, float]) -> None:
        if entry["iteration"] == 5:
            raise KeyboardInterrupt

    for method in METHODS:
        interrupted = solve_leontief(A, d, method=method, on_progress=stop)
        assert interrupted.status is Status.INTERRUPTED
        assert interrupted.iterations == 5
        assert residual(A, d, interrupted.x) == pytest.approx(interrupted.residual, rel=1e-6)


def test_without_error_bound_it_is_none() -> None:
    solution = solve_leontief(np.array([[0.5]]), np.array([1.0]), error_bound=False)
    assert solution.error_bound is None
    np.testing.assert_array_equal(solution.x, [2.0])


def test_info_counts_and_times() -> None:
    A, d = synthetic(600, 0.8, 15)
    solution = solve_leontief(A, d)
    assert set(solution.info.seconds) == {"prepare", "solve", "error_bound", "total"}
    assert solution.info.products > 2 * solution.iterations
    assert solution.info.primal_residual == solution.residual
    assert solution.info.backend
    assert any("spectral radius of |A| at most" in note for note in solution.info.notes)


def test_the_given_arrays_are_left_alone() -> None:
    A, d = synthetic(600, 0.8, 16)
    for format_ in ("csr", "csc"):
        table = A.asformat(format_)
        table.sum_duplicates()
        data, demand = table.data.copy(), d.copy()
        table.data.setflags(write=False)
        d.setflags(write=False)
        solution = solve_leontief(table, d, transpose=format_ == "csc")
        solution.x[:] = 0.0  # and the answer is no view of the question
        np.testing.assert_array_equal(table.data, data)
        np.testing.assert_array_equal(d, demand)
