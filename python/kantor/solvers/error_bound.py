"""Certified componentwise error bounds for Leontief systems.

For any w > 0 with (I - |M|) w > 0 the spectral radius of |M| is below 1 and (I - |M|)^-1 >= 0, so a point xh with
residual r = d - (I - M) xh has an error of at most

    |x - xh| <= |(I - M)^-1| |r| <= (I - |M|)^-1 |r| <= kappa w,    kappa = max_i |r_i| / ((I - |M|) w)_i.

If M >= 0 the two signs part: kappa+ from r+ bounds x - xh from above, kappa- from r- from below; so sweeps from zero,
whose residual is positive, come with a lower bound that is the point itself to rounding.

Every quantity is evaluated with a guard gamma_k sum |terms|, k = entries of the row + 4, that covers the rounding of
the products whatever their order of summation (Higham, Accuracy and Stability, section 3.1), so the bound holds for
the arrays as they are stored. How w was found (kantor.solvers.proof) does not matter. By default one w serves all
right-hand sides; a tight bound has one for each.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..backends import Backend
from .operand import Operand
from .problem import FloatArray
from .proof import TINY, Pair, Proof

# What a component counts at least, in sweeps of the residual; and by how much kappa may then exceed 1. More is quicker.
CHEAP, TIGHT = (1.0, 3.0), (0.05, 0.25)
EPS = float(np.finfo(np.float64).eps)
CHUNK = 1 << 15  # numbers that are worked on in one go


@dataclass(frozen=True)
class ErrorBound:
    """What is proved about the distance of a point from the exact solution.

    Attributes
    ----------
    bound : like x, |x - exact| <= bound; infinite without a proof
    vector : w (n,), for a tight bound (n, k); None without a proof
    below, above : (k,) factors: x - below w <= exact <= x + above w
    radius : a proved bound on the spectral radius of |M|
    why : in words
    products : passes over the matrix
    """

    bound: FloatArray
    vector: FloatArray | None
    below: FloatArray
    above: FloatArray
    radius: float
    why: str
    products: int

    def interval(self, x: FloatArray) -> tuple[FloatArray, FloatArray]:
        """(lower, upper) with lower <= exact <= upper in every component."""
        if self.vector is None:
            return np.full(x.shape, -np.inf), np.full(x.shape, np.inf)
        w = self.vector if self.vector.ndim == x.ndim else self.vector[:, None]
        below, above = (1.0 + 8.0 * EPS) * self.below * w, (1.0 + 8.0 * EPS) * self.above * w
        # one unit outwards for the rounding of the sum itself, unless nothing is added
        lower = np.where(below > 0.0, np.nextafter(x - below, -np.inf), x)
        upper = np.where(above > 0.0, np.nextafter(x + above, np.inf), x)
        return lower, upper


def bound_error(
    matrix: Any,
    d: FloatArray,
    x: FloatArray,
    *,
    backend: str | Backend = "auto",
    tight: bool = False,
    residual: FloatArray | None = None,
) -> ErrorBound:
    """Bound |x - exact x| for (I - M) x = d in every component.

    Parameters
    ----------
    matrix : M (n, n), CSR, an array or an Operand; for values pass A'
    d, x : (n,) or (n, k)
    backend : where the products are done, if M is not an Operand
    residual : d - (x - M x) as computed in float64, in any order, if that has been done already
    tight : one proof a column, nearly as small as the residuals allow, at the cost of about one more solve a column

    >>> import numpy as np, scipy.sparse as sp
    >>> M = sp.csr_array(np.array([[0.25, 0.4], [0.14, 0.12]]))
    >>> found = bound_error(M, np.array([55.0, 30.0]), np.array([100.0, 50.0 + 1e-9]))
    >>> bool(1e-9 <= found.bound[1] < 2e-9)
    True
    """
    operand = matrix if isinstance(matrix, Operand) else Operand(matrix, backend)
    above, below, products = _residual_bounds(operand, d, x, residual)
    error = np.maximum(above, below)
    over = operand.over
    largest = np.maximum(over.max(error), 0.0)
    if not np.isfinite(largest).all():
        return _nothing(x, "no error bound: x is not finite", products)
    if not np.any(largest):
        zero = np.zeros(np.size(largest))
        why = "error bound 0: x = d = 0"
        return ErrorBound(np.zeros(x.shape), np.zeros(x.shape[0]), zero, zero, np.nan, why, products)
    proof = Proof(operand)
    if tight and x.ndim == 2:
        found = _side_by_side([proof.find(column, *TIGHT) for column in error.T])
    else:
        found = proof.find(_one_for_all(error, operand), *(TIGHT if tight else CHEAP))
    products += proof.products
    if found is None:
        why = "no error bound: no w > 0 with (I - |A|) w > 0 was found"
        why += ", entries below zero count with their magnitudes" if operand.signed else ""
        return _nothing(x, why, products)
    w, margin = found
    widen = (lambda v: v[:, None]) if w.ndim < x.ndim else (lambda v: v)
    kappa = [np.atleast_1d(over.max(part / widen(margin))) for part in (below, above)]
    if operand.signed:  # the inverse may have entries of both signs
        kappa = [np.maximum(*kappa)] * 2
    bound = (1.0 + 8.0 * EPS) * np.maximum(*kappa) * widen(w)
    radius = float(np.min(over.max((w - margin) / w))) * (1.0 + 1e-15)
    why = f"error bound proved; spectral radius of |A| at most {min(radius, 1.0):.6g} by the same vector"
    return ErrorBound(bound, w, kappa[0], kappa[1], radius, why, products)


def _nothing(x: FloatArray, why: str, products: int) -> ErrorBound:
    infinite = np.full(1 if x.ndim == 1 else x.shape[1], np.inf)
    return ErrorBound(np.full(x.shape, np.inf), None, infinite, infinite, np.inf, why, products)


def _side_by_side(proved: list[Pair | None]) -> Pair | None:
    """The proofs of several columns as one of two dimensions; None if one is missing."""
    pairs = [pair for pair in proved if pair is not None]
    if len(pairs) < len(proved):
        return None
    return np.stack([w for w, _ in pairs], axis=1), np.stack([margin for _, margin in pairs], axis=1)


def _residual_bounds(
    operand: Operand, d: FloatArray, x: FloatArray, known: FloatArray | None
) -> tuple[FloatArray, FloatArray, int]:
    """Upper bounds on (d - (I - M) x)+ and its negative part, shaped like x; and the products they took."""
    one_sign = not operand.signed and np.min(operand.over.min(x)) >= 0.0
    product, size = None, None
    if known is None or not one_sign:
        product = operand.times(x)
        size = product if one_sign else operand.times(np.abs(x), operand.size_op)
    guard = operand.guard if x.ndim == 1 else operand.guard[:, None]
    above, below = np.empty(x.shape), np.empty(x.shape)
    step = max(1, CHUNK * x.shape[0] // max(1, x.size))
    for at in range(0, x.shape[0], step):  # some rows at a time: what comes between stays in cache
        rows = slice(at, at + step)
        terms = np.abs(d[rows]) + np.abs(x[rows])
        if product is not None and size is not None:
            terms += size[rows]
            residual = (d[rows] - x[rows]) + product[rows]
        else:
            # M x = x - d + r, and r is the residual as computed to within guard (|d| + |x| + M x)
            residual = known[rows]  # type: ignore[index]
            terms = (2.0 * terms + np.abs(residual)) * (1.0 + 4.0 * guard[rows])
        # An exactly empty row has no underflow either: 0 stays a possible bound.
        doubt = guard[rows] * terms + np.where(terms > 0.0, TINY, 0.0)
        above[rows] = np.maximum(residual + doubt, 0.0) * (1.0 + 1e-15)
        below[rows] = np.maximum(doubt - residual, 0.0) * (1.0 + 1e-15)
    return above, below, 0 if product is None else (1 if one_sign else 2)


def _one_for_all(error: FloatArray, operand: Operand) -> FloatArray:
    """One residual for all columns, each counted in its own size."""
    if error.ndim == 1:
        return error
    sizes = np.sqrt(operand.over.squares(error))
    return np.asarray(np.max(error / np.where(sizes > 0.0, sizes, 1.0), axis=1))
