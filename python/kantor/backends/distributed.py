"""The distributed backend: any local backend on every rank, matrices by rows, vectors by owner, over MPI.

Only the collective rows of the contract are overridden: products fetch what they need from other ranks
(kantor.backends.halo), dots and norms are added up in rank order, by one exchange a batch. Everything elementwise is
the local backend's, on local arrays. ``from_host`` takes a rank's part of an array that all ranks have, ``to_host``
puts the whole one together on all of them, so the solvers run unchanged.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp

from ..errors import BackendUnavailable, OptionError, ProblemError
from .halo import Product
from .matrices import csr_of, rounded
from .partition import Layout, best, by_groups, contiguous, divide, holders
from .protocol import Array, Backend, DeviceTerms, Operator, PdhgState, Scalar
from .world import World, once

_PIECE = 1 << 20  # entries looked at at once


@dataclass
class Divided:
    """A rank's part of an operator: K x, and K'y if its transpose was asked for."""

    forward: Product
    backward: Product | None


class DistributedBackend(Backend):
    """``local`` on every rank of ``world``.

    An array of length n, or (n, k), is divided by the layout of its length, which the first matrix with that many rows
    or columns decides and which then stays (``world.layouts``). Device memory is staged: only values that other ranks
    need are copied to the host and back.
    """

    def __init__(self, local: Backend, world: World) -> None:
        self.local, self.world = local, world
        self.name = "distributed"

    # ---- memory ------------------------------------------------------------------------------------------------
    def layout(self, length: int) -> Layout:
        """How arrays of this length are divided."""
        if length not in self.world.layouts:
            self.world.layouts[length] = contiguous(np.ones(length), self.world.size)
        found: Layout = self.world.layouts[length]
        return found

    def from_host(self, array: np.ndarray) -> Array:
        part = np.asarray(array)[self.layout(len(array)).owned(self.world.rank)]
        return self.local.from_host(np.ascontiguousarray(part))

    def to_host(self, array: Array) -> np.ndarray:
        from mpi4py.util import dtlib

        mine = np.ascontiguousarray(self.local.to_host(array))
        counts = self.world.gather(np.array([float(mine.shape[0])]))[:, 0].astype(np.int64)
        layout = self._layout_of(counts)
        width = int(np.prod(mine.shape[1:], dtype=np.int64))
        whole = np.empty((layout.n, *mine.shape[1:]), dtype=mine.dtype)
        kind = dtlib.from_numpy_dtype(mine.dtype)
        self.world.comm.Allgatherv(mine, [whole, (counts * width, layout.offsets[:-1] * width), kind])
        if layout.order is None:
            return whole
        placed = np.empty_like(whole)
        placed[layout.order] = whole
        return placed

    def _layout_of(self, counts: np.ndarray) -> Layout:
        """The layout that an array with these counts has: lengths name layouts."""
        found = self.layout(int(counts.sum()))
        if not np.array_equal(found.counts, counts):
            raise ProblemError(f"array: {counts.tolist()} values on the ranks, expected {found.counts.tolist()}")
        return found

    def zeros(self, shape: int | tuple[int, ...]) -> Array:
        length, *rest = (shape,) if isinstance(shape, int | np.integer) else shape
        mine = int(self.layout(int(length)).counts[self.world.rank])
        return self.local.zeros((mine, *rest) if rest else mine)

    def copy(self, source: Array, out: Array) -> None:
        self.local.copy(source, out)

    # ---- operator ------------------------------------------------------------------------------------------------
    def prepare(self, matrix: Any, *, transpose: bool = True, values: str = "float64") -> Operator:
        csr = csr_of(matrix)
        if values == "float32":
            rounded(csr)  # the same error on all ranks, before anybody waits
        rows, columns = self._divide(csr)
        forward = self._product(csr, rows, columns, values)
        backward = self._product(sp.csr_array(csr.T), columns, rows, values) if transpose else None
        return Operator(csr.shape, int(csr.nnz), Divided(forward, backward), transpose, values)

    def _divide(self, csr: sp.csr_array) -> tuple[Layout, Layout]:
        """Layouts of rows and columns: those that their lengths have already, else new ones."""
        world, (M, N), layouts = self.world, csr.shape, self.world.layouts
        for length, groups in world.groups.items():
            if length in (M, N) and length not in layouts:
                layouts[length] = _grouped(csr, length, groups, world.size)
        if M in layouts or N in layouts:
            return self.layout(M), self.layout(N)
        layouts[M], layouts[N], _ = once(_cut)(csr, world.size, world.partition)
        return layouts[M], layouts[N]

    def _product(self, csr: sp.csr_array, rows: Layout, columns: Layout, values: str) -> Product:
        """The entries that this rank holds by the scheme that moves the fewest numbers."""
        rank = self.world.rank
        scheme = once(best)(csr, rows, columns)
        if scheme.scheme == "rows":
            mine = sp.csr_array(csr[rows.owned(rank)])
            mine = sp.csr_array((mine.data, columns.position(mine.indices), mine.indptr), shape=mine.shape)
            return Product(self.local, self.world, mine, rows, columns, values, whole_rows=True)
        keep = holders(csr, rows, columns, scheme.scheme, scheme.pairs) == rank
        i = rows.position(np.repeat(np.arange(csr.shape[0]), np.diff(csr.indptr))[keep])
        held = sp.csr_array((csr.data[keep], (i, columns.position(csr.indices[keep]))), shape=csr.shape)
        return Product(self.local, self.world, held, rows, columns, values)

    def few_products(self, A: Operator) -> None:
        A.handle.forward.few_products()
        if A.handle.backward is not None:
            A.handle.backward.few_products()

    def matvec(self, A: Operator, x: Array, out: Array) -> None:
        A.handle.forward.times(x, out)

    def rmatvec(self, A: Operator, y: Array, out: Array) -> None:
        if A.handle.backward is None:
            raise ProblemError("A: prepared without its transpose; prepare(matrix, transpose=True) stores it")
        A.handle.backward.times(y, out)

    # ---- vectors -------------------------------------------------------------------------------------------------
    def axpby(self, a: Scalar, x: Array, b: Scalar, y: Array) -> None:
        self.local.axpby(a, x, b, y)

    def multiply(self, x: Array, y: Array, out: Array) -> None:
        self.local.multiply(x, y, out)

    def clip(self, x: Array, lower: Array, upper: Array, out: Array) -> None:
        self.local.clip(x, lower, upper, out)

    def prox(self, terms: DeviceTerms, tau: float, v: Array, out: Array) -> None:
        self.local.prox(terms, tau, v, out)

    # ---- reductions ----------------------------------------------------------------------------------------------
    def dot(self, pairs: Sequence[tuple[Array, Array]]) -> np.ndarray:
        return self.world.sum(np.asarray(self.local.dot(pairs)))

    def norm(self, xs: Sequence[Array], ord: float = 2) -> np.ndarray:
        if ord not in (2, np.inf):
            raise OptionError(f"ord: got {ord!r}, expected 2 or inf")
        parts = self.world.gather(np.asarray(self.local.norm(xs, ord)))
        largest = np.max(parts, axis=0)  # NaN if one is
        if ord == np.inf or self.world.size == 1:
            return largest
        usable = np.isfinite(largest) & (largest > 0.0)
        unit = np.where(usable, largest, 1.0)
        total = np.zeros_like(largest)
        for part in parts:
            total += (part / unit) ** 2
        return np.where(usable, unit * np.sqrt(total), largest)

    # ---- fused steps -----------------------------------------------------------------------------------------------
    def primal_step(self, s: PdhgState, last: bool) -> None:
        self.local.primal_step(s, last)

    def dual_step(self, s: PdhgState, last: bool) -> None:
        self.local.dual_step(s, last)

    def for_user(self, function: Callable[[Array], Array]) -> Callable[[Array], Array]:
        """The user sees whole vectors, on the host, on every rank."""
        return lambda x: self.from_host(np.asarray(function(self.to_host(x)), dtype=np.float64))

    def device(self) -> str:
        return f"{self.world.size} ranks, each {self.local.name}: {self.local.device()}"

    def synchronise(self) -> None:
        self.local.synchronise()


def _cut(csr: sp.csr_array, size: int, way: str) -> tuple[Layout, Layout, str]:
    try:
        return divide(csr, size, way)
    except ImportError as trouble:
        raise BackendUnavailable(f"partition {way!r}: {trouble}; pip install 'kantor[partition]'") from trouble


def _grouped(csr: sp.csr_array, length: int, groups: np.ndarray, size: int) -> Layout:
    weights = np.zeros(length)
    if csr.shape[0] == length:
        weights += np.diff(csr.indptr)
    if csr.shape[1] == length:
        weights += np.bincount(csr.indices, minlength=length)
    return by_groups(groups, weights + 1.0, size)


class SpreadBackend(DistributedBackend):
    """The same where the host too has only a rank's own part: nothing whole exists anywhere.

    Shapes, of operators too, are those of the rank's own rows. ``layout`` is that of square matrices.
    """

    def __init__(self, local: Backend, world: World, layout: Layout | None = None) -> None:
        super().__init__(local, world)
        self.own_layout = layout

    def from_host(self, array: np.ndarray) -> Array:
        return self.local.from_host(np.ascontiguousarray(array))

    def to_host(self, array: Array) -> np.ndarray:
        return self.local.to_host(array)

    def zeros(self, shape: int | tuple[int, ...]) -> Array:
        return self.local.zeros(shape)

    def prepare_rows(self, rows: sp.csr_array, values: str = "float64", consume: bool = False) -> Operator:
        """A square matrix from every rank's rows, whose columns are *positions* of the layout; without a transpose.

        ``consume``: ``rows`` may be overwritten, which saves a copy of it.
        """
        assert self.own_layout is not None
        entries, own = int(rows.nnz), self.own_layout
        product = Product(self.local, self.world, rows, own, own, values, whole_rows=True, consume=consume)
        return Operator((rows.shape[0], rows.shape[0]), entries, Divided(product, None), None, values)

    def prepare_entries(self, held: sp.csr_array, at: np.ndarray, rows: Layout, columns: Layout) -> Operator:
        """A matrix and its transpose from every rank's entries: ``held`` (at.size, all columns), its rows those at the
        ascending positions ``at``; a row may lie with several ranks."""
        rank = self.world.rank
        forward = Product(self.local, self.world, held, rows, columns, at=at)
        # The transpose of only those columns that have entries here.
        used = np.unique(held.indices)
        place = np.empty(held.nnz, dtype=np.int32)
        for first in range(0, held.nnz, _PIECE):  # searching makes wide indices
            place[first : first + _PIECE] = np.searchsorted(used, held.indices[first : first + _PIECE])
        turned = sp.csr_array(sp.csr_array((held.data, place, held.indptr), shape=(held.shape[0], used.size)).T)
        wide = np.int32 if rows.n < 2**31 else np.int64
        turned = sp.csr_array((turned.data, at.astype(wide)[turned.indices], turned.indptr), shape=(used.size, rows.n))
        backward = Product(self.local, self.world, turned, columns, rows, at=used.astype(np.int64))
        own = (int(rows.counts[rank]), int(columns.counts[rank]))
        return Operator(own, int(held.nnz), Divided(forward, backward), True, "float64")

    def prepare(self, matrix: Any, *, transpose: bool = True, values: str = "float64") -> Operator:
        """What :meth:`prepare_entries` made, as it is: there is no whole matrix to take."""
        assert isinstance(matrix, Operator)
        return matrix
