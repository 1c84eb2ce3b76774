"""solve_leontief and values: labels in and out, bad input, economies that are not productive."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

from kantor.backends import Backend, Operator
from kantor.backends.reference import ReferenceBackend
from kantor.errors import OptionError, ProblemError
from kantor.solvers.leontief import solve_leontief, values
from kantor.solvers.solution import Status
from kantor.solvers.square_table import SquareTable
from leontief_tables import synthetic

METHODS = ["bicgstab", "anderson", "neumann"]


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


# ---- indices of more than 32 bits ------------------------------------------------------------------------------------
class Huge(ReferenceBackend):
    """Products of ``huge_table`` by its formula: row i holds lengths[i] entries ``size`` in column 0."""

    def prepare(self, matrix: Any, *, transpose: bool = True, **_: Any) -> Operator:
        return Operator(matrix.shape, int(matrix.nnz), (np.diff(matrix.indptr), float(matrix.data[0])))

    def matvec(self, A: Operator, x: np.ndarray, out: np.ndarray) -> None:
        lengths, size = A.handle
        out[...] = lengths * size * x[0]


def huge_table(lengths: list[int], size: float) -> sp.csr_array:
    """More than 2^31 entries that take no memory: arrays of stride 0 under real 64-bit row pointers."""
    table = sp.csr_array((len(lengths), len(lengths)))
    table.indptr = np.concatenate([[0], np.cumsum(np.array(lengths, dtype=np.int64))])
    table.indices = np.broadcast_to(np.int64(0), int(table.indptr[-1]))
    table.data = np.broadcast_to(np.float64(size), int(table.indptr[-1]))
    return table


def test_more_entries_than_32_bits_count() -> None:
    lengths = [2**30, 2**30 + 5, 2**29, 3]
    table = huge_table(lengths, 2.0**-31)
    assert table.nnz > 2**31
    d = np.array([1.0, 2.0, 3.0, 4.0])
    checked = SquareTable(table, None, 0.0, 2.0**-31)
    solution = solve_leontief(checked, d, method="bicgstab", backend=Huge())
    share = np.array(lengths) * 2.0**-31
    exact = d + share * (d[0] / (1.0 - share[0]))
    assert solution.status is Status.OPTIMAL
    assert np.all(np.abs(solution.x - exact) <= solution.error_bound)
    # the guard counts a billion roundings a row, and no more than that
    assert np.all(solution.error_bound < 1e-5)
    assert solution.error_bound[0] > 2**30 * 2.0**-53
