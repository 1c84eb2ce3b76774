"""Balancing: RAS, GRAS, weighted adjustments, supply-use pairs, against their definitions and a general optimiser."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy.optimize import LinearConstraint, minimize

import kantor as kt
from kantor.errors import OptionError, ProblemError
from kantor.solvers.solution import NotOptimal


def reported(seed: int, n: int = 6, m: int = 5, negative: float = 0.0, zeros: float = 0.2) -> np.ndarray:
    rng = np.random.default_rng(seed)
    table = rng.lognormal(1.0, 1.0, (n, m)) * (rng.random((n, m)) >= zeros)
    table[rng.random((n, m)) < negative] *= -0.3
    table[:, 0] = rng.uniform(1.0, 2.0, n)  # one full row and column: every pattern is connected
    table[0] = rng.uniform(1.0, 2.0, m)
    return table


def shaken(table: np.ndarray, seed: int) -> np.ndarray:
    """A table of the same signs and zeros, so that its totals can be met."""
    return table * np.random.default_rng(seed + 1000).lognormal(0.0, 0.4, table.shape)


@given(seed=st.integers(0, 10_000))
@example(seed=271)  # a step along what no total depends on
@settings(max_examples=10, deadline=None)
def test_positive_tables_are_scaled_by_rows_and_columns(seed: int) -> None:
    table = reported(seed)
    truth = shaken(table, seed)
    found = kt.balance_table(table, truth.sum(axis=1), truth.sum(axis=0))
    found.raise_for_status()
    np.testing.assert_allclose(found.table.sum(axis=1), truth.sum(axis=1), rtol=1e-9)
    np.testing.assert_allclose(found.table.sum(axis=0), truth.sum(axis=0), rtol=1e-9)
    # Textbook RAS, by plain iteration.
    ras = table.copy()
    for _ in range(3000):
        ras *= (truth.sum(axis=1) / ras.sum(axis=1))[:, None]
        ras *= truth.sum(axis=0) / ras.sum(axis=0)
    np.testing.assert_allclose(found.table, ras, rtol=1e-6)


@given(seed=st.integers(0, 10_000))
@settings(max_examples=25, deadline=None)
def test_gras_has_the_form_of_its_solution(seed: int) -> None:
    table = reported(seed, negative=0.2)
    truth = shaken(table, seed)
    found = kt.balance_table(table, truth.sum(axis=1), truth.sum(axis=0))
    np.testing.assert_allclose(found.table.sum(axis=1), truth.sum(axis=1), atol=1e-8)
    np.testing.assert_allclose(found.table.sum(axis=0), truth.sum(axis=0), atol=1e-8)
    assert (np.sign(found.table) == np.sign(table)).all()
    # z = a r s where a > 0 and a / (r s) where a < 0: the signed logarithms are a sum of a row and a column part.
    here = table != 0.0
    t = np.sign(table[here]) * np.log(found.table[here] / table[here])
    rows, columns = np.nonzero(here)
    design = np.zeros((t.size, 11))
    design[np.arange(t.size), rows] = 1.0
    design[np.arange(t.size), 6 + columns] = 1.0
    fitted = design @ np.linalg.lstsq(design, t, rcond=None)[0]
    np.testing.assert_allclose(fitted, t, atol=1e-7)


@given(seed=st.integers(0, 10_000), method=st.sampled_from(["entropy", "least-squares"]))
@settings(max_examples=20, deadline=None)
def test_a_balanced_table_stays_as_it_is(seed: int, method: str) -> None:
    table = reported(seed, negative=0.2)
    found = kt.balance_table(table, table.sum(axis=1), table.sum(axis=0), method=method)
    np.testing.assert_allclose(found.table, table, rtol=1e-12)
    assert found.distance < 1e-20


@pytest.mark.filterwarnings("ignore:delta_grad")
@pytest.mark.parametrize("method", ["entropy", "least-squares"])
@pytest.mark.parametrize("seed", [0, 1])
def test_weighted_adjustment_is_the_minimum_of_its_objective(seed: int, method: str) -> None:
    rng = np.random.default_rng(seed)
    table = reported(seed, 4, 3, negative=0.15, zeros=0.0)
    rows = table.sum(axis=1) * rng.lognormal(0, 0.1, 4)
    columns = table.sum(axis=0) * rng.lognormal(0, 0.1, 3)
    error = rng.uniform(0.05, 0.5, table.shape)
    row_error = np.array([0.0, 0.3, 0.2, 0.5])
    found = kt.balance_table(table, rows, columns, cell_error=error, row_error=row_error, method=method)
    a, theta = table.ravel(), (error**2 / np.abs(table)).ravel()

    def objective(z: np.ndarray) -> float:
        off = z.reshape(table.shape).sum(axis=1) - rows
        totals = float((off[1:] ** 2 / (2 * row_error[1:] ** 2)).sum())
        if method == "least-squares":
            return totals + float(((z - a) ** 2 / (2 * error.ravel() ** 2)).sum())
        ratio = np.maximum(z / a, 1e-300)
        return totals + float((np.abs(a) / theta * (ratio * np.log(ratio) - ratio + 1)).sum())

    G = np.vstack([np.eye(4)[:1] @ np.kron(np.eye(4), np.ones(3)), np.kron(np.ones(4), np.eye(3))])
    exact = np.concatenate([rows[:1], columns])
    best = minimize(
        objective, a, method="trust-constr", constraints=LinearConstraint(G, exact, exact),
        options={"gtol": 1e-10, "xtol": 1e-12, "maxiter": 3000},
    )  # fmt: skip
    np.testing.assert_allclose(G @ found.table.ravel(), exact, rtol=1e-9)
    assert objective(found.table.ravel()) <= best.fun * (1 + 1e-6)
    np.testing.assert_allclose(found.table.ravel(), best.x, rtol=2e-3, atol=2e-4)
    assert found.row_residuals.abs().iloc[1:].max() > 1e-4  # uncertain totals gave way


def test_reliable_cells_move_less_and_zero_errors_not_at_all() -> None:
    table = np.array([[10.0, 10.0], [10.0, 10.0]])
    error = np.array([[0.0, 1.0], [1.0, 5.0]])
    found = kt.balance_table(table, [23.0, 23.0], [23.0, 23.0], cell_error=error)
    assert found.table[0, 0] == 10.0
    np.testing.assert_allclose(found.table, [[10.0, 13.0], [13.0, 10.0]], rtol=1e-9)
    top = found.changes(2)
    assert set(top.index.get_level_values("row")) == {0, 1}
    np.testing.assert_allclose(top["in_errors"], 3.0, rtol=1e-9)


def test_labels_kinds_and_order_are_kept() -> None:
    table = pd.DataFrame(reported(3, 3, 3), ["a", "b", "c"], ["x", "y", "z"])
    rows, columns = table.sum(axis=1) * 1.5, table.sum(axis=0) * 1.5
    found = kt.balance_table(table, rows[::-1], columns[["y", "z", "x"]])
    pd.testing.assert_frame_equal(found.table, table * 1.5)
    assert found.row_residuals.abs().max() < 1e-8
    assert found.totals.loc[("row", "b"), "reported"] == rows["b"]
    sparse = kt.balance_table(sp.csc_array(table.to_numpy()), rows.to_numpy(), columns.to_numpy())
    assert sparse.table.format == "csc"
    np.testing.assert_allclose(sparse.table.toarray(), table * 1.5)


def test_one_side_subtotals_and_unknown_totals() -> None:
    table = reported(5, 4, 4, zeros=0.0)
    one = kt.balance_table(table, rows=table.sum(axis=1) * 2)
    np.testing.assert_allclose(one.table, 2 * table)
    inside = kt.Subtotal([0, 1], [2, 3], 0.8 * table[:2, 2:].sum())
    part = kt.balance_table(table, table.sum(axis=1), table.sum(axis=0), subtotals=[inside])
    part.raise_for_status()
    np.testing.assert_allclose(part.table[:2, 2:].sum(), inside.total)
    np.testing.assert_allclose(part.table.sum(axis=0), table.sum(axis=0))
    loose = kt.balance_table(
        table, [1e3, *table.sum(axis=1)[1:]], table.sum(axis=0), cell_error=0.1, row_error=np.array([np.inf, 0, 0, 0])
    )
    np.testing.assert_allclose(loose.table, table, rtol=1e-8)


def test_zero_totals_empty_their_cells() -> None:
    table = np.array([[1.0, 2.0, 0.0], [3.0, 4.0, 5.0]])
    found = kt.balance_table(table, [0.0, 12.0], [3.0, 4.0, 5.0])
    np.testing.assert_allclose(found.table, [[0, 0, 0], [3, 4, 5]])
    assert "2 cells became 0" in found.info.notes[0]


@pytest.mark.parametrize(
    ("table", "rows", "columns", "said"),
    [
        ([[1.0, 0.0], [0.0, 2.0]], [1.0, 3.0], [1.0, 2.5], "row '1' add up to 3, but column '1'.* to 2.5"),
        ([[1.0, 2.0], [3.0, 4.0]], [4.0, 6.0], [5.0, 6.0], "row '0', row '1' add up to 10"),
        ([[0.0, 0.0], [3.0, 4.0]], [4.0, 6.0], [5.0, 5.0], "row '0': the total is 4, but there is no cell"),
        ([[1.0, 1.0], [3.0, 4.0]], [-4.0, 6.0], [1.0, 1.0], "row '0'.*-4, but all cells .* positive"),
        ([[1.0, 1.0, 0.0], [1.0, 1.0, 1.0]], [8.0, 2.0], [2.0, 2.0, 6.0], "row '0' must add up to 8.* add up to 4"),
        ([[1.0, np.nan], [3.0, 4.0]], [4.0, 6.0], [5.0, 5.0], "row '0', column '1' is nan"),
        ([[1.0, 2.0], [3.0, 4.0]], [4.0, np.nan], [5.0, 5.0], "row: '1' is nan"),
        ([[1.0, 2.0], [3.0, 4.0]], [4.0, 6.0, 1.0], [5.0, 5.0], "row: shape"),
    ],
)
def test_totals_that_cannot_be_met_are_named(table: Any, rows: Any, columns: Any, said: str) -> None:
    with pytest.raises(ProblemError, match=said):
        kt.balance_table(np.array(table), rows, columns)


def test_conflicting_totals_give_way_by_their_errors() -> None:
    table = np.full((2, 2), 10.0)
    found = kt.balance_table(
        table, [20.0, 20.0], [23.0, 23.0], cell_error=1e3, row_error=[2.0, 2.0], column_error=1 / 23
    )
    # 6 of difference, shared in proportion to the variances 4 and 1 of the totals.
    np.testing.assert_allclose(found.table.sum(axis=1), 20 + 3 * 4 / 5, rtol=1e-4)
    np.testing.assert_allclose(found.table.sum(axis=0), 23 - 3 * 1 / 5, rtol=1e-4)


@pytest.mark.parametrize(
    "options",
    [
        {"method": "ras"},
        {"tolerance": 0.0},
        {"max_iterations": 0},
        {"row_error": 0.1},
        {"cell_error": -0.1},
        {"cell_error": 0.1, "row_error": np.array([0.1, 0.2, 0.3])},
        {"cell_error": 0.1, "row_error": np.array([0.1, np.nan])},
        {"cell_error": 0.1, "row_error": np.array([0.1, -0.1])},
        {"rows": None, "columns": None},
    ],
)
def test_impossible_options(options: dict[str, Any]) -> None:
    arguments = {"rows": [4.0, 6.0], "columns": [5.0, 5.0], **options}
    with pytest.raises((OptionError, ProblemError)):
        kt.balance_table(np.array([[1.0, 2.0], [3.0, 4.0]]), **arguments)


def test_too_few_iterations_are_a_status() -> None:
    table = reported(7, 20, 20)
    truth = shaken(table, 7)
    found = kt.balance_table(table, truth.sum(axis=1), truth.sum(axis=0), max_iterations=1)
    assert found.status is kt.Status.ITERATION_LIMIT
    assert "misses its total" in found.info.why
    with pytest.raises(NotOptimal):
        found.raise_for_status()


def test_large_sparse_table_with_negatives() -> None:
    rng = np.random.default_rng(0)
    n = 5000
    table = sp.random_array((n, n), density=20 / n, rng=rng, format="csr")
    table.data = rng.lognormal(0, 2, table.nnz) * np.where(rng.random(table.nnz) < 0.02, -0.2, 1.0)
    truth = table.copy()
    truth.data *= rng.lognormal(0, 0.3, table.nnz)
    found = kt.balance_table(table, truth.sum(axis=1), truth.sum(axis=0))
    found.raise_for_status()
    np.testing.assert_allclose(found.table.sum(axis=1), truth.sum(axis=1), atol=1e-6)
    assert len(found.changes(7)) == 7


@pytest.mark.parametrize("errors", [None, {"U": 0.1, "V": 0.01, "Y": 0.2, "W": 0.3, "imports": 0.05}])
def test_supply_use_pairs_balance(errors: Any) -> None:
    rng = np.random.default_rng(2)
    goods, branches = ["g1", "g2", "g3"], ["i1", "i2"]
    U = pd.DataFrame(rng.uniform(1, 3, (3, 2)), goods, branches)
    V = pd.DataFrame(rng.uniform(3, 9, (2, 3)), branches, goods)
    Y = pd.DataFrame(rng.uniform(1, 6, (3, 2)), goods, ["people", "stocks"])
    Y.loc["g2", "stocks"] *= -0.2
    W = pd.DataFrame(rng.uniform(2, 4, (1, 2)), ["value added"], branches)
    imports = pd.Series(rng.uniform(0.5, 2, 3), goods)
    found = kt.balance_supply_use(U, V, Y, W, imports, errors=errors)
    found.raise_for_status()
    supply = found.V.sum(axis=0) + found.imports
    np.testing.assert_allclose(supply, found.U.sum(axis=1) + found.Y.sum(axis=1))
    np.testing.assert_allclose(found.V.sum(axis=1), found.U.sum(axis=0) + found.W.sum(axis=0))
    assert found.Y.loc["g2", "stocks"] < 0.0
    assert list(found.changes(3).columns) == ["reported", "error", "balanced", "change", "ratio", "in_errors"]
    if errors:
        spread = np.log(found.V / V).abs().to_numpy().max()
        assert spread < np.log(found.Y / Y).abs().to_numpy().max()
        with pytest.raises(OptionError, match="none for 'W'"):
            kt.balance_supply_use(U, V, Y, W, errors={"U": 0.1, "V": 0.1, "Y": 0.1})
    again = kt.balance_supply_use(found.U, found.V, found.Y, found.W, found.imports)
    np.testing.assert_allclose(again.U, found.U, rtol=1e-7)
    kt.Economy.from_sut(found.U, found.V, found.Y, assumption="industry-technology")
