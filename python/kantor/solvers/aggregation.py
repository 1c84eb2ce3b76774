"""Groups of goods (sectors, regions) as a preconditioner: a small Leontief system answers for the long supply chains.

With P (K x n) adding up the goods of a group and W (n x K) handing a group's amount to its goods by their shares of a
rough output, A_c = P M W is the table of the groups, and

    C = I + W ((I - A_c)^-1 - I) P

treats what a group needs of itself and others exactly and the rest as plain sweeps do. BiCGSTAB solves (I - M) C y = r,
and C y is the correction. As a solver iterative aggregation (Dudkin and Ershov 1965; Vakhutinsky, Dudkin and Ryvkin
1979) converges only locally; as a preconditioner of corrections that are judged by their residuals it can be slow but
not wrong. It pays where groups are weakly tied to each other and each has a radius near 1 of its own.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp

from ..backends import Backend, Operator
from ..backends.protocol import Array
from .operand import Operand
from .problem import FloatArray
from .system import System

MOST_GROUPS = 2048  # the table of the groups is dense
CHUNK = 1 << 20
SWEEPS = 8


class Aggregation:
    """P and W where the table is, (I - A_c)^-1 - I on the host."""

    def __init__(self, backend: Backend, adding: Operator, handing: Operator, inverse: FloatArray) -> None:
        self.backend, self.adding, self.handing, self.inverse = backend, adding, handing, inverse

    def add(self, x: Array) -> None:
        """x <- C x, for x (n,) or (n, k)."""
        shape = (self.inverse.shape[0], *x.shape[1:])
        sums, handed = self.backend.zeros(shape), self.backend.zeros(x.shape)
        self.backend.matvec(self.adding, x, sums)
        amounts = self.inverse @ self.backend.to_host(sums)
        self.backend.matvec(self.handing, self.backend.from_host(np.ascontiguousarray(amounts)), handed)
        self.backend.axpby(1.0, handed, 1.0, x)


class AggregatedSystem(System):
    """(I - M) C in place of I - M; what is found stands for the correction C y."""

    def __init__(self, backend: Backend, op: Operator, width: int | None, aggregation: Aggregation) -> None:
        super().__init__(backend, op, width)
        self.aggregation, self.inner = aggregation, self.new()

    def narrower(self, width: int) -> System:
        other = AggregatedSystem(self.backend, self.op, width, self.aggregation)
        other._tally = self._tally
        return other

    def apply(self, x: Array, out: Array) -> None:
        self.backend.copy(x, self.inner)
        self.aggregation.add(self.inner)
        super().apply(self.inner, out)

    def recover(self, y: Array) -> None:
        self.aggregation.add(y)


def aggregate(operand: Operand, groups: np.ndarray[Any, Any], output: FloatArray) -> tuple[Aggregation | None, str]:
    """The preconditioner for ``groups`` (n,), numbers from 0; or None, if it would not help, and why.

    ``output`` (n,) > 0 is a rough output in the units of ``operand``.
    """
    count = int(groups.max()) + 1
    if count > MOST_GROUPS:
        return None, f"groups: not used, {count} are more than the {MOST_GROUPS} whose table is kept"
    n, own = operand.n, np.arange(operand.n)
    for _ in range(SWEEPS):  # towards the slow part of every group, which the shares should span
        further = operand.times(output)
        output = further + 1e-9 * (float(further.sum()) / float(output.sum())) * output
    shares = output / np.bincount(groups, weights=output)[groups]
    adding = sp.csr_array((np.ones(n), (groups, own)), shape=(count, n))
    handing = sp.csr_array((shares, (own, groups)), shape=(n, count))
    table = adding @ (operand.matrix @ handing.toarray()) if operand.dense else _lumped(operand, groups, shares, count)
    radius = float(np.abs(np.linalg.eigvals(table)).max())
    if not radius < 1.0:
        return None, f"groups: not used, their table has a radius of {radius:.6g}"
    inverse = np.linalg.inv(np.eye(count) - table) - np.eye(count)
    prepare = lambda m: operand.backend.prepare(m.toarray() if operand.dense else m, transpose=False)  # noqa: E731
    aggregation = Aggregation(operand.backend, prepare(adding), prepare(handing), inverse)
    return aggregation, f"{count} groups as a preconditioner (radius of their table {radius:.4g})"


def _lumped(operand: Operand, groups: np.ndarray[Any, Any], shares: FloatArray, count: int) -> FloatArray:
    """P M W, some entries at a time."""
    matrix = operand.matrix
    table: FloatArray = np.zeros(count * count)
    for at in range(0, matrix.nnz, CHUNK):
        columns = matrix.indices[at : at + CHUNK]
        rows = np.searchsorted(matrix.indptr, np.arange(at, at + columns.size), side="right") - 1
        cells = groups[rows].astype(np.int64) * count + groups[columns]
        table += np.bincount(cells, weights=matrix.data[at : at + CHUNK] * shares[columns], minlength=table.size)
    return table.reshape(count, count)
