"""Every kernel of every backend against NumPy/SciPy by hand or the reference backend, on awkward sizes."""

from __future__ import annotations

import functools
import importlib
import pickle
import sys
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp

from kantor.backends import Backend, DeviceTerms, PdhgState, get_backend
from kantor.backends.reference import ReferenceBackend
from kantor.errors import BackendUnavailable, OptionError, ProblemError
from kantor.solvers.problem import FORMULAS, TermKind

REFERENCE = ReferenceBackend()
LARGE = 1_000_003
SIZES = [0, 1, 31, 33, LARGE]
WIDTHS = [1, 2, 5, 8, 13]
SHAPES = [(n, k) for n in SIZES[:-1] for k in [None, *WIDTHS]] + [(LARGE, None), (LARGE, 2)]
RTOL = 1e-12  # relative to the sum of the magnitudes that are added


def generator(*key: int) -> np.random.Generator:
    return np.random.default_rng([2029, *key])


def shape_of(n: int, k: int | None) -> int | tuple[int, int]:
    return n if k is None else (n, k)


def close(got: Any, expected: Any, scale: Any) -> None:
    """|got - expected| <= 1e-12 scale elementwise, with NaN and infinities in the same places."""
    got, expected = np.asarray(got), np.asarray(expected)
    assert got.shape == expected.shape
    finite = np.isfinite(expected)
    np.testing.assert_array_equal(got[~finite], expected[~finite])
    assert np.all(np.abs(got - expected)[finite] <= (RTOL * np.broadcast_to(scale, got.shape))[finite])


@functools.cache
def matrix(kind: str) -> sp.csr_array:
    """The matrices of the product tests, by name."""
    rng = generator(len(kind))
    if kind == "giant row":  # one row of a million nonzeros between short ones
        n = 1_000_000
        rows = np.concatenate([np.full(n, 3), [0, 2, 2, 6]])
        columns = np.concatenate([np.arange(n), [5, n - 1, 0, 17]])
        return sp.csr_array((rng.standard_normal(n + 4), (rows, columns)), shape=(7, n))
    if kind == "heavy rows":  # skewed row lengths around every limit a kernel may have
        lengths = [0, 1, 2, 31, 32, 33, 0, 63, 65, 127, 129, 255, 257, 511, 513, 1023, 1025, 4097, 16385, 0]
        columns = [rng.choice(20_000, size=length, replace=False) for length in lengths]
        rows = np.repeat(np.arange(len(lengths)), lengths)
        at = np.concatenate(columns)
        return sp.csr_array((rng.standard_normal(at.size), (rows, at)), shape=(len(lengths), 20_000))
    rows, columns, each = {
        "0 rows": (0, 0, 0),
        "0 x 4": (0, 4, 0),
        "4 x 0": (4, 0, 0),
        "1 row": (1, 1, 1),
        "31 rows": (31, 31, 4),
        "33 rows": (33, 33, 4),
        "tall": (97, 13, 3),
        "wide": (13, 97, 20),
        "no entries": (9, 8, 0),
        "large": (LARGE, LARGE, 3),
    }[kind]
    at = rng.integers(0, max(columns, 1), size=rows * each)
    A = sp.csr_array((rng.standard_normal(at.size), (np.repeat(np.arange(rows), each), at)), shape=(rows, columns))
    if rows > 5:  # two empty rows, the last among them
        keep = np.ones(rows)
        keep[[3, rows - 1]] = 0.0
        A = sp.csr_array(sp.dia_array((keep[None], [0]), shape=(rows, rows)) @ A)
        A.eliminate_zeros()
    return A


SMALL = ["0 rows", "0 x 4", "4 x 0", "1 row", "31 rows", "33 rows", "tall", "wide", "no entries", "heavy rows"]
PRODUCTS = [(kind, k) for kind in SMALL for k in [None, *WIDTHS]]
PRODUCTS += [("large", None), ("large", 2), ("giant row", None), ("giant row", 5)]


@pytest.mark.parametrize(("kind", "k"), PRODUCTS)
def test_products(backend: Backend, kind: str, k: int | None) -> None:
    A = matrix(kind)
    both = kind != "large"  # a million rows either way: the giant row is the other way
    op = backend.prepare(A, transpose=both)
    assert (op.shape, op.nnz) == (A.shape, A.nnz)
    rng = generator(3, k or 0)
    for forward in (True, False) if both else (True,):
        M = A if forward else A.T
        x = rng.standard_normal(shape_of(M.shape[1], k))
        out = backend.from_host(np.full(shape_of(M.shape[0], k), np.nan))  # the old content must not matter
        (backend.matvec if forward else backend.rmatvec)(op, backend.from_host(x), out)
        close(backend.to_host(out), M @ x, abs(M) @ np.abs(x))


@pytest.mark.parametrize("k", [None, 5])
@pytest.mark.parametrize("kind", ["0 rows", "33 rows", "wide", "heavy rows", "giant row"])
def test_products_with_float32_values(backend: Backend, kind: str, k: int | None) -> None:
    """The product of the matrix as rounded, with float64 vectors and sums."""
    A = matrix(kind)
    stored = A.astype(np.float32).astype(np.float64)
    for same in (A, A.tocsc()):
        op = backend.prepare(same, values="float32")
        assert (op.shape, op.nnz, op.values) == (A.shape, A.nnz, "float32")
        for M, product in ((stored, backend.matvec), (stored.T, backend.rmatvec)):
            x = generator(31, k or 0).standard_normal(shape_of(M.shape[1], k))
            out = backend.from_host(np.full(shape_of(M.shape[0], k), np.nan))
            product(op, backend.from_host(x), out)
            close(backend.to_host(out), M @ x, abs(M) @ np.abs(x))


def test_values_that_float32_cannot_hold(backend: Backend) -> None:
    A = sp.csr_array([[1.0, 0.0], [0.0, 2.0], [0.0, -1e39]])
    for same in (A, A.tocsc()):
        with pytest.raises(ProblemError, match=r"entry \(2, 1\) is -1e\+39, expected at most 3\.40282e\+38"):
            backend.prepare(same, values="float32")
    with pytest.raises(OptionError, match="values: 'float23' is unknown; did you mean 'float32'"):
        backend.prepare(A, values="float23")


def test_product_without_transpose(backend: Backend) -> None:
    A = matrix("wide")
    op = backend.prepare(A, transpose=False)
    x = generator(4).standard_normal(A.shape[1])
    out = backend.zeros(A.shape[0])
    backend.matvec(op, backend.from_host(x), out)
    close(backend.to_host(out), A @ x, abs(A) @ np.abs(x))


def test_product_of_other_formats(backend: Backend) -> None:
    """64-bit indices, CSC and repeated entries mean the same matrix."""
    A = matrix("tall")
    wide = A.copy()
    wide.indices, wide.indptr = A.indices.astype(np.int64), A.indptr.astype(np.int64)
    doubled = sp.coo_array((np.tile(A.tocoo().data / 2, 2), np.tile(np.array(A.nonzero()), 2)), shape=A.shape)
    x = generator(5).standard_normal(A.shape[1])
    for same in (wide, A.tocsc(), doubled):
        out = backend.zeros(A.shape[0])
        backend.matvec(backend.prepare(same), backend.from_host(x), out)
        close(backend.to_host(out), A @ x, abs(A) @ np.abs(x))


@pytest.mark.parametrize("k", [None, 5])
@pytest.mark.parametrize("kind", ["33 rows", "wide", "heavy rows", "giant row"])
def test_adjointness(backend: Backend, kind: str, k: int | None) -> None:
    """<Kx, y> = <x, K'y>, column by column."""
    A = matrix(kind)
    op = backend.prepare(A)
    rng = generator(6)
    x, y = rng.standard_normal(shape_of(A.shape[1], k)), rng.standard_normal(shape_of(A.shape[0], k))
    X, Y, KX, KY = (backend.from_host(v) for v in (x, y, np.zeros_like(y), np.zeros_like(x)))
    backend.matvec(op, X, KX)
    backend.rmatvec(op, Y, KY)
    left, right = backend.dot([(KX, Y), (X, KY)])
    close(left, right, np.sum(np.abs(y) * (abs(A) @ np.abs(x)), axis=0))


@pytest.mark.parametrize("k", [None, 5, 8])
@pytest.mark.parametrize("kind", ["0 rows", "1 row", "33 rows", "large"])
def test_net_product(backend: Backend, kind: str, k: int | None) -> None:
    """x - A x in one go."""
    k = 2 if k and kind == "large" else k
    A = matrix(kind)
    x = generator(32, k or 0).standard_normal(shape_of(A.shape[0], k))
    out = backend.from_host(np.full_like(x, np.nan))
    backend.net_product(backend.prepare(A, transpose=False), backend.from_host(x), out)
    close(backend.to_host(out), x - A @ x, np.abs(x) + abs(A) @ np.abs(x))


# ---- vectors --------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(("n", "k"), SHAPES)
def test_axpby(backend: Backend, n: int, k: int | None) -> None:
    rng = generator(7, n, k or 0)
    x, y = rng.standard_normal((2, *np.atleast_1d(shape_of(n, k))))
    for a, b in [(2.5, -0.5), (1.0, 1.0), (0.0, 1.0), (-3.0, 0.0)]:
        out = backend.from_host(y)
        backend.axpby(a, backend.from_host(x), b, out)
        close(backend.to_host(out), a * x + b * y, np.abs(a * x) + np.abs(b * y))
    nan = backend.from_host(np.full_like(y, np.nan))
    backend.axpby(2.0, backend.from_host(x), 0.0, nan)
    close(backend.to_host(nan), 2.0 * x, np.abs(x))


@pytest.mark.parametrize("k", WIDTHS)
def test_axpby_with_one_weight_a_column(backend: Backend, k: int) -> None:
    rng = generator(8, k)
    x, y = rng.standard_normal((2, 1003, k))
    a, b = rng.standard_normal((2, k))
    b[-1] = 0.0
    y[:, -1] = np.nan  # a column of weight zero is not read either
    kept = np.where(b == 0.0, 0.0, b * y)
    out = backend.from_host(y)
    backend.axpby(a, backend.from_host(x), b, out)
    close(backend.to_host(out), a * x + kept, np.abs(a * x) + np.abs(kept))
    out = backend.from_host(y)
    backend.axpby(2.0, backend.from_host(x), b, out)
    close(backend.to_host(out), 2.0 * x + kept, np.abs(2.0 * x) + np.abs(kept))
    out = backend.from_host(np.nan_to_num(y))
    backend.axpby(a, backend.from_host(x), 1.0, out)
    close(backend.to_host(out), a * x + np.nan_to_num(y), np.abs(a * x) + np.abs(np.nan_to_num(y)))


@pytest.mark.parametrize(("n", "k"), SHAPES)
def test_combine(backend: Backend, n: int, k: int | None) -> None:
    rng = generator(34, n, k or 0)
    x, y, z = rng.standard_normal((3, *np.atleast_1d(shape_of(n, k))))
    weights = [(2.5, -1.5, -0.5), (1.0, 2.0, 0.0)]
    if k is not None:
        weights.append(tuple(rng.standard_normal((3, k))))  # type: ignore[arg-type]
        weights[-1][2][-1] = 0.0
    for a, b, c in weights:
        old = np.where(np.equal(c, 0.0), np.nan, y)  # what has no weight is not read
        out = backend.from_host(old)
        backend.combine(a, backend.from_host(x), b, backend.from_host(z), c, out)
        close(backend.to_host(out), a * x + b * z + c * y, np.abs(a * x) + np.abs(b * z) + np.abs(c * y))


@pytest.mark.parametrize(("n", "k"), SHAPES)
def test_copy_multiply_zeros(backend: Backend, n: int, k: int | None) -> None:
    x, y = generator(9, n).standard_normal((2, *np.atleast_1d(shape_of(n, k))))
    out = backend.zeros(shape_of(n, k))
    np.testing.assert_array_equal(backend.to_host(out), np.zeros_like(x))
    backend.copy(backend.from_host(x), out)
    np.testing.assert_array_equal(backend.to_host(out), x)
    backend.multiply(backend.from_host(x), backend.from_host(y), out)
    np.testing.assert_array_equal(backend.to_host(out), x * y)
    np.testing.assert_array_equal(backend.to_host(backend.from_host(x)), x)


def test_from_host_copies(backend: Backend) -> None:
    host = np.arange(5.0)
    device = backend.from_host(host)
    backend.axpby(1.0, backend.from_host(np.ones(5)), 1.0, device)
    np.testing.assert_array_equal(host, np.arange(5.0))
    kinds = np.array([0, 5, 255], dtype=np.uint8)
    np.testing.assert_array_equal(backend.to_host(backend.from_host(kinds)), kinds)


@pytest.mark.parametrize(("n", "k"), SHAPES)
def test_clip(backend: Backend, n: int, k: int | None) -> None:
    rng = generator(10, n)
    shape = shape_of(n, k)
    x = rng.standard_normal(shape)
    lower = np.where(rng.random(shape) < 0.3, -np.inf, rng.standard_normal(shape) - 1.0)
    upper = np.where(rng.random(shape) < 0.3, np.inf, np.maximum(lower, -5.0) + rng.exponential(size=shape))
    flat = x.reshape(-1)
    flat[::5], flat[1::7], flat[2::11] = np.nan, np.inf, -np.inf
    expected = np.minimum(np.maximum(x, lower), upper)
    out = backend.zeros(shape)
    X, low, high = (backend.from_host(v) for v in (x, lower, upper))
    backend.clip(X, low, high, out)
    np.testing.assert_array_equal(backend.to_host(out), expected)
    backend.clip(X, low, high, X)  # in place
    np.testing.assert_array_equal(backend.to_host(X), expected)


# ---- reductions ------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(("n", "k"), SHAPES)
def test_dot_and_norm(backend: Backend, n: int, k: int | None) -> None:
    x, y = generator(11, n, k or 0).standard_normal((2, *np.atleast_1d(shape_of(n, k))))
    X, Y = backend.from_host(x), backend.from_host(y)
    xy, xx = (x * y).sum(axis=0), (x * x).sum(axis=0)
    dots = backend.dot([(X, Y), (X, X), (Y, X)])
    assert isinstance(dots, np.ndarray)
    close(dots, [xy, xx, xy], np.abs(x * y).sum(axis=0) + xx)
    close(backend.norm([X, Y]), np.sqrt([xx, (y * y).sum(axis=0)]), np.sqrt(xx) + 1e-300 + np.sqrt((y * y).sum(axis=0)))
    tops = [np.max(np.abs(v), axis=0, initial=0.0) for v in (x, y)]
    np.testing.assert_array_equal(backend.norm([X, Y], ord=np.inf), tops)


@pytest.mark.parametrize("at", [0, 17, 32, 999_999])
def test_norm_of_nan_and_infinity(backend: Backend, at: int) -> None:
    x = generator(12).standard_normal(LARGE if at > 32 else 33)
    for wide in (False, True):
        y = np.stack([x, x], axis=1) if wide else x.copy()
        y[(at, 0) if wide else at] = np.nan
        expected = [True, False] if wide else True
        for order in (2, np.inf):
            np.testing.assert_array_equal(np.isnan(backend.norm([backend.from_host(y)], ord=order)[0]), expected)
        y[(at, 0) if wide else at] = -np.inf
        for order in (2, np.inf):
            np.testing.assert_array_equal(np.isinf(backend.norm([backend.from_host(y)], ord=order)[0]), expected)


def test_norm_is_nan_even_beside_larger_entries(backend: Backend) -> None:
    x = np.array([1.0, np.nan, np.inf, -2.0])
    assert np.isnan(backend.norm([backend.from_host(x)], ord=np.inf)[0])


# ---- proximal maps ---------------------------------------------------------------------------------------------------
def random_terms(n: int, spread: float, key: int) -> tuple[np.ndarray, ...]:
    """Kinds and parameters a, b, e of n columns, magnitudes within 10^+-spread; every kind occurs."""
    rng = generator(key, n)
    kind = rng.integers(0, len(FORMULAS), size=n).astype(np.uint8)
    a, b = 10.0 ** rng.uniform(-spread, spread, size=(2, n))
    e = rng.uniform(0.2, 6.0, size=n)
    e[np.abs(e - 1.0) < 0.01] = 2.0
    return kind, a, b, e


@pytest.mark.parametrize(("n", "spread"), [(n, s) for n in SIZES[:-1] for s in (1.0, 6.0, 12.0)] + [(LARGE, 6.0)])
def test_prox(backend: Backend, n: int, spread: float) -> None:
    kind, a, b, e = random_terms(n, spread, 13)
    v = generator(14, n).standard_normal(n) * 10.0 ** generator(15, n).uniform(-spread, spread, size=n)
    terms = DeviceTerms(*(backend.from_host(p) for p in (kind, a, b, e)))
    for tau in (10.0**spread, 10.0**-spread, 1.0)[: 1 if n == LARGE else 3]:
        expected = np.empty(n)
        REFERENCE.prox(DeviceTerms(kind, a, b, e), tau, v, expected)
        assert np.isfinite(expected).all()
        out = backend.zeros(n)
        V = backend.from_host(v)
        backend.prox(terms, tau, V, out)
        # LOG and HYPERBOLIC subtract their shift from a root: its size limits what any formula can give.
        shift = np.where(kind == TermKind.LOG, b, np.where(kind == TermKind.HYPERBOLIC, e * b, 0.0))
        close(backend.to_host(out), expected, np.abs(expected) + shift)
        backend.prox(terms, tau, V, V)  # in place
        np.testing.assert_array_equal(backend.to_host(V), backend.to_host(out))


@pytest.mark.parametrize("kind", FORMULAS)
def test_prox_keeps_nan(backend: Backend, kind: TermKind) -> None:
    terms = DeviceTerms(
        backend.from_host(np.array([kind], dtype=np.uint8)),
        *(backend.from_host(np.array([p])) for p in (2.0, 3.0, 0.5)),
    )
    out = backend.zeros(1)
    backend.prox(terms, 0.7, backend.from_host(np.array([np.nan])), out)
    assert np.isnan(backend.to_host(out)[0])


# ---- PDHG ------------------------------------------------------------------------------------------------------------
VECTORS_N = ("c", "lower", "upper", "x", "x_anchor", "x_hat", "x_reflected", "dx", "aty")
VECTORS_M = ("row_lower", "row_upper", "y", "y_anchor", "y_hat", "dy", "ax")


def random_state(m: int, n: int, with_terms: bool) -> dict[str, Any]:
    """A random program in the middle of a solve: infinite bounds, equality, one-sided, ranged and free rows."""
    rng = generator(16, m, n)
    A = sp.csr_array(
        sp.random_array((m, n), density=min(1.0, 5.0 / max(n, 1)), rng=rng, data_sampler=rng.standard_normal)
    )
    s: dict[str, Any] = {"A": A}
    for name in VECTORS_N:
        s[name] = rng.standard_normal(n)
    for name in VECTORS_M:
        s[name] = rng.standard_normal(m)
    s["lower"] = np.where(rng.random(n) < 0.2, -np.inf, 0.0)
    s["upper"] = np.where(rng.random(n) < 0.5, np.inf, 1.0 + rng.random(n))
    form = rng.integers(0, 5, size=m)
    s["row_upper"] = s["row_lower"] + np.where(form == 0, 0.0, rng.random(m))
    s["row_upper"][(form == 2) | (form == 4)] = np.inf
    s["row_lower"][(form == 3) | (form == 4)] = -np.inf
    kind, a, b, e = random_terms(n, 0.5, 17)
    s["lower"][kind != 0] = 0.0
    s["terms"] = (kind, a, b, e) if with_terms else None
    return s


def state_on(backend: Backend, s: dict[str, Any], values: str = "float64", **scalars: Any) -> PdhgState:
    terms = None if s["terms"] is None else DeviceTerms(*(backend.from_host(p) for p in s["terms"]))
    vectors = {name: backend.from_host(s[name]) for name in VECTORS_N + VECTORS_M}
    norm = np.sqrt((s["A"].toarray() ** 2).sum()) if min(s["A"].shape) else 0.0
    eta = 0.998 / max(1.0, norm)
    A = backend.prepare(s["A"], values=values)
    return PdhgState(A=A, terms=terms, **vectors, **{"eta": eta, "weight": 1.3, **scalars})


RESULTS = ("x", "y", "x_hat", "y_hat", "dx", "dy")


def compare_states(got: PdhgState, on: Backend, expected: PdhgState, names: tuple[str, ...]) -> None:
    for name in names:
        value = getattr(expected, name)
        source = getattr(expected, name[1:]) if name in ("dx", "dy") else value
        close(on.to_host(getattr(got, name)), value, np.abs(source) + np.max(np.abs(source), initial=1.0))


@pytest.mark.parametrize("with_terms", [False, True])
@pytest.mark.parametrize(("m", "n"), [(0, 0), (1, 1), (0, 5), (31, 33), (33, 31), (2000, 3000)])
def test_primal_and_dual_step(backend: Backend, m: int, n: int, with_terms: bool) -> None:
    start = random_state(m, n, with_terms)
    for last in (False, True):
        mine, default = state_on(backend, start, k=3), state_on(REFERENCE, start, k=3)
        backend.primal_step(mine, last)
        Backend.primal_step(REFERENCE, default, last)
        compare_states(mine, backend, default, ("x", "x_reflected", *(("x_hat", "dx") if last else ())))
        backend.dual_step(mine, last)
        Backend.dual_step(REFERENCE, default, last)
        compare_states(mine, backend, default, ("y", *(("y_hat", "dy") if last else ())))


@pytest.mark.parametrize("with_terms", [False, True])
@pytest.mark.parametrize(("m", "n"), [(0, 0), (0, 5), (5, 0), (1, 1), (31, 33), (33, 31), (400, 600)])
@pytest.mark.parametrize("iterations", [1, 2, 7, 40])
def test_block(backend: Backend, m: int, n: int, with_terms: bool, iterations: int) -> None:
    start = random_state(m, n, with_terms)
    mine, default = state_on(backend, start, k=2), state_on(REFERENCE, start, k=2)
    for _ in range(2):  # the second block starts from what the first one left
        backend.pdhg_block(mine, iterations)
        Backend.pdhg_block(REFERENCE, default, iterations)
        assert mine.k == default.k
        compare_states(mine, backend, default, RESULTS)


def test_block_with_float32_values(backend: Backend) -> None:
    start = random_state(400, 600, True)
    stored = {**start, "A": start["A"].astype(np.float32).astype(np.float64)}
    mine, default = state_on(backend, start, "float32", k=2), state_on(REFERENCE, stored, k=2)
    mine.eta = default.eta
    backend.pdhg_block(mine, 9)
    Backend.pdhg_block(REFERENCE, default, 9)
    compare_states(mine, backend, default, RESULTS)


def test_block_with_a_giant_row(backend: Backend) -> None:
    """A resource row over all columns of a large program, and a column over all its rows in the transpose."""
    rng = generator(18)
    n = 200_000
    start = random_state(2, n, False)
    start["A"] = sp.csr_array(np.stack([rng.random(n) / n, np.where(np.arange(n) % 1000 == 0, 1.0, 0.0)]))
    mine, default = state_on(backend, start), state_on(REFERENCE, start)
    backend.pdhg_block(mine, 5)
    Backend.pdhg_block(REFERENCE, default, 5)
    compare_states(mine, backend, default, RESULTS)


def test_block_with_a_projection(backend: Backend) -> None:
    """The projection replaces the clip: here one that gives the bounds' clip, so both runs must agree."""
    start = random_state(33, 31, True)
    mine, default = state_on(backend, start), state_on(REFERENCE, start)

    def project(v: Any) -> Any:
        out = backend.zeros(31)
        backend.clip(v, backend.from_host(start["lower"]), backend.from_host(start["upper"]), out)
        return out

    mine.projection = project
    mine.lower = backend.from_host(np.full(31, np.nan))  # and nothing else reads the bounds
    backend.pdhg_block(mine, 7)
    Backend.pdhg_block(REFERENCE, default, 7)
    compare_states(mine, backend, default, RESULTS)


def test_repeatable_to_the_bit(backend: Backend) -> None:
    A = matrix("giant row")
    rng = generator(19)
    x, X = rng.standard_normal(A.shape[1]), rng.standard_normal((A.shape[1], 2))
    start = random_state(2000, 3000, True)

    def run() -> list[bytes]:
        op = backend.prepare(A)
        found: list[Any] = []
        for host in (x, X):
            v, back = backend.from_host(host), backend.zeros(host.shape)
            short = backend.zeros(shape_of(A.shape[0], None if host.ndim == 1 else 2))
            backend.matvec(op, v, short)
            backend.rmatvec(op, short, back)
            found += [backend.to_host(short), backend.to_host(back)]
            found += [backend.dot([(v, v), (v, back)]), backend.norm([v]), backend.norm([v], ord=np.inf)]
        state = state_on(backend, start)
        backend.pdhg_block(state, 40)
        found += [backend.to_host(getattr(state, name)) for name in RESULTS]
        return [np.ascontiguousarray(f).tobytes() for f in found]

    assert run() == run()


def test_a_missing_library_is_said_with_its_install_line(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith("kantor.backends.numba")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "numba", None)
    with pytest.raises(BackendUnavailable, match="pip install numba"):
        importlib.import_module("kantor.backends.numba_cpu")


def test_unpickled_arrays_are_taken():
    """Their dtype is equal to float64, but an object of its own."""
    backend = get_backend("auto")
    matrix = backend.prepare(sp.csr_array(np.eye(3)), transpose=False)
    x, out = pickle.loads(pickle.dumps(np.arange(3.0))), np.zeros(3)
    backend.matvec(matrix, backend.from_host(x), out)
    assert out.tolist() == [0.0, 1.0, 2.0]
