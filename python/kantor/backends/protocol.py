"""The backend contract: every algorithm in kantor.solvers is written once against this class.

Three seams (docs/architecture.md): elementwise work is local; communication lives only in ``matvec``/``rmatvec`` and
in ``dot``/``norm``; every rich operation has a default built from the simple ones. The unit of work is a *block* of
iterations between two checks (``pdhg_block``); a backend may run a whole block natively, and the default below is then
its oracle in the tests.

Arrays are the backend's own (NumPy, a device array, CuPy), float64, C-contiguous: shape (n,) or, for many right-hand
sides, (n, k) with the k values of one row adjacent, so that one pass over the matrix serves all of them.

A matrix may be stored in float32: ``prepare(matrix, values="float32")`` halves what its values cost to read. It stands
for the float64 matrix whose entries are those float32 numbers: each is widened before it is multiplied, and all vectors
and sums stay float64, so every kernel, ``pdhg_block`` included, takes such an Operator and agrees with ``reference`` on
the same Operator to 1e-12. Against the matrix that was passed in, each entry is off by at most 6e-8 of itself: iterate
with it, but judge the answer by residuals of a float64 Operator (iterative refinement).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

Array = Any
Scalar = Any  # a float, or for (n, k) arrays a NumPy vector (k,): one weight a column


@dataclass
class Operator:
    """A prepared sparse matrix: K and, if asked for, K' stored explicitly. ``handle`` is private to its backend.

    ``values`` names the type its entries are stored in, "float64" or "float32".
    """

    shape: tuple[int, int]
    nnz: int
    handle: Any
    transpose: Any = None
    values: str = "float64"


@dataclass
class DeviceTerms:
    """SeparableTerms on the backend: kind uint8 (n,), a, b, e float64 (n,). See kantor.solvers.problem.TermKind."""

    kind: Array
    a: Array
    b: Array
    e: Array


@dataclass
class PdhgState:
    """Everything one block of reflected Halpern PDHG reads and writes (reference: arXiv 2507.14051).

    Vectors of length N (columns): c, lower, upper, x, x_anchor, x_hat, x_reflected, dx, aty.
    Vectors of length M (rows): row_lower, row_upper, y, y_anchor, y_hat, dy, ax.
    ``k`` counts iterations since the anchor was set; tau = eta / weight, sigma = eta * weight.
    After a block x_hat, y_hat hold the un-averaged PDHG point of its last iteration, and dx = x_hat - x_before,
    dy = y_hat - y_before the displacement of that iteration; both are undefined in between.
    ``projection``, if given, replaces the clip to [lower, upper]: it takes and returns one array of the backend.
    """

    A: Operator
    c: Array
    lower: Array
    upper: Array
    row_lower: Array
    row_upper: Array
    terms: DeviceTerms | None
    x: Array
    x_anchor: Array
    x_hat: Array
    x_reflected: Array
    dx: Array
    aty: Array
    y: Array
    y_anchor: Array
    y_hat: Array
    dy: Array
    ax: Array
    eta: float = 0.0
    weight: float = 1.0
    k: int = 0
    projection: Callable[[Array], Array] | None = None
    private: dict[str, Any] = field(default_factory=dict)


class Backend(ABC):
    """Kernels on one kind of memory. Results of every backend equal ``reference`` to 1e-12 per kernel."""

    name: str = ""
    sweeps_in_single: bool = False  # ``single_sweep`` is in float32 and so takes half the bytes

    # ---- memory ------------------------------------------------------------------------------------------------
    @abstractmethod
    def from_host(self, array: np.ndarray) -> Array:
        """Copy a NumPy array to the backend (float64 or uint8; may alias host memory only if it is never written)."""

    @abstractmethod
    def to_host(self, array: Array) -> np.ndarray:
        """Return the values as a NumPy array."""

    @abstractmethod
    def zeros(self, shape: int | tuple[int, ...]) -> Array:
        """Return a float64 array of zeros."""

    @abstractmethod
    def copy(self, source: Array, out: Array) -> None:
        """out <- source."""

    # ---- operator ------------------------------------------------------------------------------------------------
    @abstractmethod
    def prepare(self, matrix: Any, *, transpose: bool = True, values: str = "float64") -> Operator:
        """Store a SciPy sparse matrix for products; with ``transpose`` also its explicit transpose for rmatvec.

        ``values="float32"`` rounds the entries to float32 (see above); ProblemError if one is too large for it.
        """

    def few_products(self, A: Operator) -> None:
        """Say, before the first product, that only a few follow: nothing is then prepared to make many quick.

        Backends that prepare nothing at the first product have nothing to do.
        """

    def gains_by_float32(self, shape: tuple[int, int]) -> bool:
        """Whether products with a large matrix of this shape are limited by its bytes, so that float32 values pay."""
        return True

    @abstractmethod
    def matvec(self, A: Operator, x: Array, out: Array) -> None:
        """out <- A x; x (n,) or (n, k). Collective."""

    @abstractmethod
    def rmatvec(self, A: Operator, y: Array, out: Array) -> None:
        """out <- A' y; y (m,) or (m, k). Collective."""

    # ---- vectors ---------------------------------------------------------------------------------------------------
    @abstractmethod
    def axpby(self, a: Scalar, x: Array, b: Scalar, y: Array) -> None:
        """y <- a x + b y; with b == 0 the old y is not read (it may hold NaN)."""

    @abstractmethod
    def multiply(self, x: Array, y: Array, out: Array) -> None:
        """out <- x * y elementwise."""

    @abstractmethod
    def clip(self, x: Array, lower: Array, upper: Array, out: Array) -> None:
        """out <- min(max(x, lower), upper); out may be x."""

    @abstractmethod
    def prox(self, terms: DeviceTerms, tau: float, v: Array, out: Array) -> None:
        """out_j <- argmin_u phi_j(u) + (u - v_j)^2 / (2 tau); out may be v (kantor.solvers.problem.TermKind)."""

    # ---- reductions ------------------------------------------------------------------------------------------------
    @abstractmethod
    def dot(self, pairs: Sequence[tuple[Array, Array]]) -> np.ndarray:
        """x.y of each pair: (len(pairs),), or columnwise (len(pairs), k). Bitwise repeatable. Collective."""

    @abstractmethod
    def norm(self, xs: Sequence[Array], ord: float = 2) -> np.ndarray:
        """2-norms or, with ord=inf, largest magnitudes; shapes as in ``dot``; NaN if any entry is. Collective."""

    # ---- fused steps, with defaults --------------------------------------------------------------------------------
    def net_product(self, A: Operator, x: Array, out: Array) -> None:
        """out <- x - A x, A square: (I - A) x. Collective."""
        self.matvec(A, x, out)
        self.axpby(1.0, x, -1.0, out)

    def single(self, array: np.ndarray) -> Array:
        """Copy an array (n, k) to the backend in the precision of ``single_sweep``."""
        return self.from_host(array)

    def single_sweep(self, A: Operator, r: Array, x: Array, out: Array) -> np.ndarray:
        """out <- A r, x <- x + out, A square; returns the sums of out^2 by column, (k,). Collective.

        r, x, out (n, k) come from ``single``. They may be float32, and then so are products and sums, but for the sums
        of squares: the result is right to some 1e-6, which is enough inside iterative refinement.
        """
        self.matvec(A, r, out)
        self.axpby(1.0, out, 1.0, x)
        return np.asarray(self.dot([(out, out)])[0])

    def stages(self, A: Operator, bits: int = 0) -> Any:
        """A, square and >= 0, laid out in float32 for ``stage_sweep``, 2^``bits`` rows a stage.

        With ``bits`` = 0 as suits A, or None where that is not offered or no gain.
        """
        return None

    def stage_sweep(self, stages: Any, d: Array, x: Array, inner: int) -> float:
        """One sweep of block Gauss-Seidel, x <- A x + d stage by stage; the 2-norm of what it changed first.

        The rows of a stage take what they need of other goods once, and what they need of each other ``inner`` times.
        x (n,) comes from ``single``, d (n,) is float64.
        """
        raise NotImplementedError("stage_sweep: this backend lays no matrix out in stages")

    def combine(self, a: Scalar, x: Array, b: Scalar, z: Array, c: Scalar, y: Array) -> None:
        """y <- a x + b z + c y; with c == 0 the old y is not used (it may hold NaN)."""
        self.axpby(b, z, c, y)
        self.axpby(a, x, 1.0, y)

    def primal_step(self, s: PdhgState, last: bool) -> None:
        """xh <- prox(x - tau (c - K'y)); xr <- 2 xh - x; x <- w xr + (1 - w) anchor, w = (k+1)/(k+2).

        Needs s.aty = K'y.
        """
        tau, w = s.eta / s.weight, (s.k + 1.0) / (s.k + 2.0)
        xh = s.x_hat
        self.copy(s.x, xh)
        self.axpby(tau, s.aty, 1.0, xh)
        self.axpby(-tau, s.c, 1.0, xh)
        if s.terms is not None:
            self.prox(s.terms, tau, xh, xh)
        if s.projection is not None:
            self.copy(s.projection(xh), xh)
        else:
            self.clip(xh, s.lower, s.upper, xh)
        self.copy(xh, s.x_reflected)
        self.axpby(-1.0, s.x, 2.0, s.x_reflected)
        if last:
            self.copy(xh, s.dx)
            self.axpby(-1.0, s.x, 1.0, s.dx)
        self.copy(s.x_reflected, s.x)
        self.axpby(1.0 - w, s.x_anchor, w, s.x)

    def dual_step(self, s: PdhgState, last: bool) -> None:
        """v <- y/sigma - K xr; yh <- sigma (v - clip(v, -u, -l)); y <- w (2 yh - y) + (1 - w) anchor.

        Needs s.ax = K xr.
        """
        sigma, w = s.eta * s.weight, (s.k + 1.0) / (s.k + 2.0)
        # yh = y + sigma (clip(ax - y/sigma, l, u) - ax): the same step, written with the contract's clip.
        yh = s.y_hat
        self.copy(s.ax, yh)
        self.axpby(-1.0 / sigma, s.y, 1.0, yh)
        self.clip(yh, s.row_lower, s.row_upper, yh)
        self.axpby(-1.0, s.ax, 1.0, yh)
        self.axpby(1.0, s.y, sigma, yh)
        if last:
            self.copy(yh, s.dy)
            self.axpby(-1.0, s.y, 1.0, s.dy)
        self.axpby(2.0 * w, yh, -w, s.y)
        self.axpby(1.0 - w, s.y_anchor, 1.0, s.y)

    # ---- control ---------------------------------------------------------------------------------------------------
    def pdhg_block(self, s: PdhgState, iterations: int) -> None:
        """Run ``iterations`` >= 1 steps of reflected Halpern PDHG, advancing s.k; the oracle of every native block."""
        for i in range(iterations):
            last = i == iterations - 1
            self.rmatvec(s.A, s.y, s.aty)
            self.primal_step(s, last)
            self.matvec(s.A, s.x_reflected, s.ax)
            self.dual_step(s, last)
            s.k += 1

    def for_user(self, function: Callable[[Array], Array]) -> Callable[[Array], Array]:
        """A user's function of one array as a function of this backend's arrays; cuda shows it CuPy views of them."""
        return function

    def device(self) -> str:
        """Words that name the hardware, for reports."""
        return "cpu"

    def synchronise(self) -> None:
        """Wait until all queued work is done; for timings."""
