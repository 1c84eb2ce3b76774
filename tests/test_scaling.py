"""Scaling: the scaled program is the original one in other units, and values make units irrelevant."""

import numpy as np
import pytest
import scipy.sparse as sp

from kantor.errors import OptionError, ProblemError
from kantor.solvers import scaling
from kantor.solvers.lp import solve_lp
from kantor.solvers.options import PdhgOptions
from kantor.solvers.problem import LinearProgram, SeparableTerms
from kantor.solvers.scaling import equilibrate, log_scales, scale_program, scaled_matrix
from kantor.solvers.terms import value

INF = np.inf


def random_lp(seed, rows=7, columns=9, terms=False):
    rng = np.random.default_rng(seed)
    K = sp.random_array((rows, columns), density=0.4, rng=rng, data_sampler=lambda size: rng.lognormal(0, 3, size))
    K = K.tocsr()
    K.data *= rng.choice([-1.0, 1.0], K.nnz)
    kinds = SeparableTerms.linear(columns)
    if terms:
        kinds = SeparableTerms(
            (np.arange(columns) % 6).astype(np.uint8),
            rng.random(columns),
            rng.random(columns) + 0.5,
            rng.random(columns) + 1.5,
        )
    lower = np.zeros(columns)
    return LinearProgram(
        rng.standard_normal(columns), K, -rng.random(rows), rng.random(rows), lower, lower + 5.0, terms=kinds
    )  # fmt: skip


@pytest.mark.parametrize("seed", [3, 4, 5])
def test_scaled_program_is_the_original_in_other_units(seed):
    lp = random_lp(seed, terms=True)
    scaled = scale_program(lp, PdhgOptions())
    s, rng = scaled.scaling, np.random.default_rng(seed)
    x, y = rng.random(9) + 0.1, rng.standard_normal(7)
    xs, ys = s.x_in(x), s.y_in(y)
    np.testing.assert_allclose(s.x_out(xs), x)
    np.testing.assert_allclose(s.y_out(ys), y)
    np.testing.assert_allclose(scaled.K @ xs, s.primal * (lp.K @ x) / s.row, atol=1e-14)
    assert scaled.c @ xs == pytest.approx(s.primal * s.objective * (lp.c @ x))
    rho = scaled.c - scaled.K.T @ ys
    np.testing.assert_allclose(s.reduced_costs_out(rho), lp.c - lp.K.T @ y, atol=1e-12)
    np.testing.assert_allclose(s.x_out(scaled.upper), lp.upper)
    np.testing.assert_allclose(scaled.row_upper * s.row / s.primal, lp.row_upper)
    other = rng.random(9) + 0.1
    change = value(scaled.terms, s.x_in(other)) - value(scaled.terms, xs)
    np.testing.assert_allclose(
        change, s.primal * s.objective * (value(lp.terms, other) - value(lp.terms, x)), atol=1e-12
    )


def test_equilibration_leaves_the_norm_at_most_one():
    for seed in range(5):
        scaled = scale_program(random_lp(seed, 20, 30), PdhgOptions())
        assert np.linalg.norm(scaled.K.toarray(), 2) <= scaled.norm_bound
    one_sided = scale_program(random_lp(9, 20, 30), PdhgOptions(), scale_columns=False)
    assert np.ptp(one_sided.scaling.column) == 0.0
    assert np.linalg.norm(one_sided.K.toarray(), 2) <= one_sided.norm_bound


def test_ruiz_makes_the_largest_entries_one():
    K = random_lp(2, 12, 12).K
    row, column = np.ones(12), np.ones(12)
    for _ in range(40):
        scaling._divide(K, row, column, True, np.maximum)
    size = np.abs(sp.diags_array(1 / row) @ K @ sp.diags_array(1 / column)).toarray()
    np.testing.assert_allclose(size.max(axis=1)[size.any(axis=1)], 1.0, rtol=1e-6)
    np.testing.assert_allclose(size.max(axis=0)[size.any(axis=0)], 1.0, rtol=1e-6)


def test_empty_rows_columns_and_explicit_zeros_keep_scale_one():
    K = sp.csr_array((np.array([4.0, 0.0]), np.array([0, 2]), np.array([0, 1, 1, 2])), shape=(3, 3))
    row, column = np.ones(3), np.ones(3)
    equilibrate(K, row, column, 10)
    assert np.isfinite(row).all()
    assert np.isfinite(column).all()
    assert row[1] == row[2] == column[1] == column[2] == 1.0
    assert 4.0 / (row[0] * column[0]) == pytest.approx(1.0)


@pytest.mark.parametrize("chunk", [1, 3, 10**6])
def test_pieces_do_not_change_the_scales(monkeypatch, chunk):
    K = random_lp(11, 30, 17).K
    expected = np.ones(30), np.ones(17)
    equilibrate(K, *expected, 10)
    monkeypatch.setattr(scaling, "_CHUNK", chunk)
    got = np.ones(30), np.ones(17)
    equilibrate(K, *got, 10)
    for a, b in zip(got, expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12)


def plan(units):
    """Twelve goods, two techniques each, a labour limit; ``units`` (12,): new units per old unit of every good."""
    rng = np.random.default_rng(23)
    n = 12
    A = rng.random((n, 2 * n)) * (rng.random((n, 2 * n)) < 0.3) * 0.15
    N = np.hstack([np.eye(n), np.eye(n)]) - A
    labour, demand = rng.random(2 * n) + 0.2, rng.random(n)
    own = np.tile(units, 2)
    K = np.vstack([units[:, None] * N / own, labour / own])
    prices = np.linalg.solve(N[:, :n].T, labour[:n])
    lp = LinearProgram(
        labour / own,
        K,
        np.append(units * demand, -INF),
        np.append(np.full(n, INF), 100.0),
        upper=np.full(2 * n, 50.0) * own,
    )
    values = np.append(prices / units, 0.01), np.tile(prices / units, 2)
    return lp, values


def test_value_scaling_makes_the_iterates_independent_of_units():
    ones, wild = np.ones(12), np.random.default_rng(29).lognormal(0, 4, 12)
    answers = []
    for units in (ones, wild):
        lp, values = plan(units)
        solution = solve_lp(lp, tolerance=1e-14, backend="reference", value_scaling=values, iteration_limit=400)
        answers.append(solution.x / np.tile(units, 2))
    np.testing.assert_allclose(answers[1], answers[0], rtol=1e-8, atol=1e-10)
    found = [
        solve_lp(plan(u)[0], 1e-14, backend="reference", iteration_limit=400).x / np.tile(u, 2) for u in (ones, wild)
    ]
    np.testing.assert_allclose(found[1], found[0], rtol=1e-8, atol=1e-10)  # values are found without being given
    none = np.ones(13), np.ones(24)
    plain = [
        solve_lp(plan(u)[0], 1e-14, backend="reference", value_scaling=none, iteration_limit=400).x / np.tile(u, 2)
        for u in (ones, wild)
    ]
    assert np.abs(plain[0] - plain[1]).max() > 1e-6  # without values units do matter


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ((np.ones(3), np.ones(9)), r"value_scaling\[0\]"),
        ((np.ones(7), np.ones(8)), r"value_scaling\[1\]"),
        ((-np.ones(7), np.ones(9)), r"value_scaling\[0\]\[0\]"),
        ((np.ones(7), np.full(9, np.nan)), r"value_scaling\[1\]\[0\]"),
        (np.ones(7), "two vectors"),
        (5, "two vectors"),
    ],
)
def test_wrong_values_are_named(given, named):
    with pytest.raises(ProblemError, match=named):
        solve_lp(random_lp(1), value_scaling=given, backend="reference")


def test_values_and_projection_exclude_each_other():
    lp = LinearProgram(np.ones(2), np.eye(2), row_lower=np.ones(2))
    with pytest.raises(OptionError, match="value_scaling"):
        solve_lp(lp, value_scaling=(np.ones(2), np.ones(2)), projection=lambda x: x, backend="reference")


def test_logarithmic_scales_are_the_least_squares_ones_in_any_units():
    rng = np.random.default_rng(5)
    K = sp.random_array((9, 14), density=0.4, rng=rng, format="csr")
    K.data[:] = np.exp(rng.standard_normal(K.nnz))
    K.data[3] = 0.0
    wild = np.exp(9.0 * rng.standard_normal(9)), np.exp(9.0 * rng.standard_normal(14))
    scaled = []
    for row, column in ((np.ones(9), np.ones(14)), wild):
        other = sp.csr_array(sp.diags_array(row) @ K @ sp.diags_array(1.0 / column))
        scales = np.ones(9), np.ones(14)
        log_scales(other, *scales)
        scaled.append(sp.csr_array(scaled_matrix(other, *scales)))
    np.testing.assert_allclose(scaled[1].data, scaled[0].data, rtol=1e-6)
    logs = scaled[0].copy()
    logs.eliminate_zeros()
    logs.data = np.log(logs.data)
    # Optimal: the logarithms sum to zero in every row and every column.
    np.testing.assert_allclose(logs.sum(axis=1), 0.0, atol=1e-6)
    np.testing.assert_allclose(logs.sum(axis=0), 0.0, atol=1e-6)
