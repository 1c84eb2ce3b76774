"""Small linear programs solved from the basis of the one before."""

import numpy as np
import pytest
import scipy.sparse as sp

from kantor.solvers.small_program import BASIC, LOWER, solve_small, square


def program(seed=3, rows=150, columns=300):
    """Bounded columns, rows that hold at zero, mixed costs: feasible, and many pivots away from nothing."""
    rng = np.random.default_rng(seed)
    matrix = sp.csc_array(sp.random_array((rows, columns), density=0.05, rng=rng) - sp.eye_array(rows, columns))
    cost, below, above = rng.normal(size=columns), rng.random(rows + columns), rng.random(rows + columns)
    return cost, matrix, -below[:rows], above[:rows], -below[rows:], above[rows:]


def test_the_last_basis_saves_the_pivots_and_a_wrong_one_still_leads_there():
    given = program()
    values, duals, columns, rows = solve_small(*given)
    assert solve_small(*given, most_pivots=100) is None
    exact = solve_small(*given, start=(columns, rows), most_pivots=0)
    np.testing.assert_allclose(exact[1], duals, atol=1e-9)
    # One basic entry too many, then one too few.
    for status in (LOWER, BASIC):
        off = rows.copy()
        off[np.flatnonzero((rows == BASIC) == (status == LOWER))[0]] = status
        assert int((columns == BASIC).sum() + (off == BASIC).sum()) != rows.size
        again = solve_small(*given, start=(columns, off))
        assert given[0] @ again[0] == pytest.approx(given[0] @ values, rel=1e-9)


def test_square_keeps_what_is_furthest_from_its_bounds():
    columns, rows = np.array([BASIC, BASIC, BASIC]), np.array([LOWER, BASIC])
    low, high = np.array([-1.0, -1e-9, -2.0]), np.array([1.0, 5.0, 2.0])
    found = square((columns, rows), low, high, np.array([-1.0, -1.0]), np.array([1.0, 1.0]))
    assert found[0][1] == LOWER
    assert (found[0] == BASIC).sum() + (found[1] == BASIC).sum() == 2
    few = square((np.full(3, LOWER), rows), low, high, np.array([-1.0, -1.0]), np.array([1.0, 1.0]))
    assert few[1].tolist() == [BASIC, BASIC]
    assert columns.tolist() == [BASIC, BASIC, BASIC]  # the input stays as it is


def test_no_time_and_no_solution_are_no_answer():
    given = program()
    assert solve_small(*given, out_of_time=lambda: True) is None
    cost, matrix, row_low, row_high, low, high = given
    assert solve_small(cost, matrix, row_low + 1e3, row_high + 1e3, low, high) is None
