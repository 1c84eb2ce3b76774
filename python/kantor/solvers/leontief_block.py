"""Some right-hand sides of one Leontief system, solved side by side: scaling, attempts, residuals from scratch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .aggregation import AggregatedSystem, Aggregation
from .iteration import iterate
from .methods import METHODS
from .operand import Operand
from .problem import FloatArray
from .single_sweeps import SingleSweeps
from .solution import Status
from .staged_sweeps import StagedSweeps
from .system import System
from .watch import CONVERGED, DIVERGED, LIMIT, Watch

TINY = float(np.finfo(np.float64).tiny)
REFINEMENTS = 6  # fresh starts from the residual recomputed from scratch
DEPTH = 1e-6  # how far one round in float32 goes
SAFE = 1.0  # scale of a right-hand side from which no number of its solution can underflow when it is scaled back
GAIN = 1e-2  # what it must gain for another one


class Block:
    """(I - M) X = D for the columns of D, each scaled by a power of two lest a norm overflows.

    With ``unit`` (n,) > 0 goods are counted in these units inside: ``operand`` must hold D^-1 M D, D = diag(unit).
    With ``aggregation`` they are preconditioned (kantor.solvers.aggregation).
    With ``sweeps`` these come first (kantor.solvers.single_sweeps, kantor.solvers.staged_sweeps).
    With ``rough`` the iterations read the matrix in float32 and float64 residuals correct them (iterative refinement:
    Wilkinson 1963; with inner solves, Carson and Higham 2018), as long as that gains enough.
    A column is done when ||d - (I - M) x||_2 <= tolerance ||d||_2 in the caller's units and in these.
    """

    def __init__(
        self,
        operand: Operand,
        unit: FloatArray | None,
        d: FloatArray,
        tolerance: float,
        max_iterations: int,
        progress: Callable[[int, float], None],
        probe: Callable[[], None],
        rough: bool = False,
        aggregation: Aggregation | None = None,
        sweeps: SingleSweeps | StagedSweeps | None = None,
    ) -> None:
        self.operand, self.unit, self.tolerance = operand, unit, tolerance
        backend = operand.backend
        over = self.over = operand.over
        top = over.max(np.abs(d))
        self.scale = np.ldexp(1.0, np.frexp(top)[1] - 1)
        # A >= 0 and a column of one sign: so has its solution, and that column must keep it.
        one_sided = not operand.signed
        self.lower = np.where(one_sided & (over.min(d) >= 0.0), 0.0, -np.inf)
        self.upper = np.where(one_sided & (over.max(d) <= 0.0), 0.0, np.inf)
        d = d / self.scale
        self.given_sizes = np.atleast_1d(np.sqrt(over.squares(d)))
        self.D = backend.from_host(d if unit is None else self._per_unit(d))
        self.shape = d.shape
        self.system = System(backend, operand.op, None if d.ndim == 1 else d.shape[1])
        inner = operand.rough if rough else operand.op
        self.inner = System(backend, inner, self.system.width)
        if aggregation is not None:
            self.inner = AggregatedSystem(backend, inner, self.system.width, aggregation)
        self.corrects = rough or aggregation is not None
        self.sweeps, self.swept = sweeps, 0
        self.sizes = self.system.norm(self.D)
        self._probe, sizes = probe, self.sizes

        def look(iteration: int, norms: FloatArray) -> None:  # without self: a cycle would keep the matrix for a while
            progress(iteration, float(_relative(norms, sizes).max()))

        self.watch = Watch(tolerance * sizes, max_iterations, look, probe=probe)
        self.X, self.R = self.system.new(), self.system.new(self.D)  # R is always the residual of X
        self.relative = np.where(self.sizes > 0.0, 1.0, 0.0)
        self.given = self.relative  # the same in the caller's units
        self.used: list[str] = []
        self.notes: list[str] = []
        self.why = ""

    def _per_unit(self, v: FloatArray) -> FloatArray:
        """A host array (n,) or (n, k) in the units inside."""
        if self.unit is None:
            return v
        return v / (self.unit if v.ndim == 1 else self.unit[:, None])

    # ---- the attempts ----------------------------------------------------------------------------------------------
    def start(self, x: FloatArray) -> None:
        """Begin at x, in the caller's units."""
        self.X = self.system.backend.from_host(self._per_unit(np.where(self.given_sizes > 0.0, x / self.scale, 0.0)))
        self._settle()

    def run(self, chain: tuple[str, ...]) -> Status:
        """Solve with the methods of ``chain``, going on with the next where one stalls."""
        try:
            return self._run(chain)
        except KeyboardInterrupt:
            self._settle()
            self.why = "interrupted"
            return Status.INTERRUPTED

    def _run(self, chain: tuple[str, ...]) -> Status:
        if self._done() or (self.sweeps is not None and self._sweep(self.sweeps)):
            return Status.OPTIMAL
        for name in chain:
            self.used.append(name)
            safe, before = self.system.new(self.X), self.relative
            reason = self._attempts(name)
            if self._done():
                return Status.OPTIMAL
            self._probe()
            self._undo(safe, before)
            worst = float(np.maximum(self.relative, self.given).max())
            self.notes.append(
                f"{name}: {reason} after {self.watch.iterations} iterations, relative residual {worst:.1e}"
            )
            self.why = self.notes[-1]
            if reason == LIMIT:
                break
        return Status.NUMERICAL_ERROR if reason == DIVERGED else Status.ITERATION_LIMIT

    def _attempts(self, name: str) -> str:
        """Run one method, again from the residual recomputed from scratch as long as that halves it."""
        for _ in range(REFINEMENTS):
            before = np.maximum(self.relative, self.given)
            if name == "direct":
                reason = self._direct()
            elif self.corrects and name != "neumann":
                reason = self._correct(name)
            else:
                reason = iterate(METHODS[name], self.system, self.D, self.X, self.R, self.watch)
            signs_kept = self._settle()
            if self._done() or reason == LIMIT:
                return reason
            if not signs_kept:
                self._probe()
            after = np.maximum(self.relative, self.given)
            if self.corrects and not ((after < GAIN * before) | (after <= self.tolerance)).all():
                self.corrects = False  # float32 is too coarse for this table, or groups do not help: go on without
                continue
            if reason != CONVERGED:
                return reason
            if not ((after < 0.5 * before) | (after <= self.tolerance)).all():
                return "cannot get below rounding error"
            self._aim()
        return reason

    def _sweep(self, sweeps: SingleSweeps | StagedSweeps) -> bool:
        """Sweeps in single precision as far as they go; what is left is for the methods of the chain."""
        self.used.append("sweeps")
        for _ in range(REFINEMENTS):
            safe, before = self.system.new(self.X), self.relative
            worst = np.maximum(before, self.given)
            reached = self._sweep_round(sweeps)
            self._settle()
            self._undo(safe, before)
            if self._done():
                return True
            after = np.maximum(self.relative, self.given)
            if not reached or not ((after < GAIN * worst) | (after <= self.tolerance)).all():
                break
            self._aim()
        self.system.op = self.operand.for_many_products()
        if not self.corrects:
            self.inner.op = self.system.op
        return False

    def _sweep_round(self, sweeps: SingleSweeps | StagedSweeps) -> bool:
        """Add a correction (I - M) e = R, no further than float32 goes; whether sweeps go on well."""
        backend, watch, final = self.system.backend, self.watch, self.watch.target
        sizes = self.system.norm(self.R)
        per = np.where(sizes > 0.0, sizes, 1.0)
        watch.target = np.maximum(0.5 * final, sweeps.depth * sizes)
        watch.start(sizes, np.inf)
        try:
            found, done, reached = sweeps(
                backend.to_host(self.R) / per, watch.target / per, 0.5 * final / per,
                lambda norms: bool(watch.look(norms * sizes).any()),
            )  # fmt: skip
        finally:
            watch.target = final
        self.swept += done
        found *= sizes
        backend.axpby(1.0, backend.from_host(found), 1.0, self.X)
        return reached

    def _correct(self, name: str) -> str:
        """Add a correction: (I - M) e = R with M in float32 or preconditioned, no further than float32 goes."""
        right, correction = self.system.new(self.R), self.system.new()
        target = self.watch.target
        self.watch.target = np.maximum(0.5 * target, DEPTH * self.system.norm(self.R))
        try:
            return iterate(METHODS[name], self.inner, right, correction, self.R, self.watch)
        finally:
            self.watch.target = target
            self.inner.recover(correction)
            self.system.backend.axpby(1.0, correction, 1.0, self.X)

    def _aim(self) -> None:
        """Aim lower where the residual is small enough inside but not yet in the caller's units."""
        short = (self.relative <= self.tolerance) & (self.given > self.tolerance)
        goal = 0.5 * self.relative * self.tolerance / np.where(short, self.given, 1.0)
        self.watch.target = np.where(short, np.minimum(goal * self.sizes, self.watch.target), self.watch.target)

    def _direct(self) -> str:
        """Add (I - M)^-1 r, r the residual, by dense factorisations on the host.

        The second one is in the units that the first one found, D^-1 (I - M) D with D = diag(|x|): nearly diagonally
        dominant, so that goods counted in large or small units keep as many digits as the others.
        """
        dense = np.eye(self.operand.n) - self.operand.toarray()
        backend = self.system.backend
        right = backend.to_host(self.R).reshape(self.operand.n, -1)
        try:
            size = np.abs(np.linalg.solve(dense, right))
            size = (size / np.maximum(size.max(axis=0), TINY)).sum(axis=1, keepdims=True)
            size = np.where(size > 0.0, size, 1.0)
            correction = size * np.linalg.solve(dense * size.T / size, right / size)
        except np.linalg.LinAlgError:
            return "I - A is singular"
        if not np.isfinite(correction).all():
            return "I - A is singular to rounding"
        backend.axpby(1.0, backend.from_host(correction.reshape(self.shape)), 1.0, self.X)
        return CONVERGED

    # ---- residuals ---------------------------------------------------------------------------------------------------
    def _settle(self) -> bool:
        """Give columns of one sign back their sign, recompute the residuals; False if a sign cost the tolerance."""
        system = self.system
        self._measure()
        if not (np.isfinite(self.lower) | np.isfinite(self.upper)).any():
            return True
        x = system.backend.to_host(self.X)
        if (self.over.min(x) >= self.lower).all() and (self.over.max(x) <= self.upper).all():
            return True
        good = self._done()
        self.X = system.backend.from_host(np.minimum(np.maximum(x, self.lower), self.upper))
        self._measure()
        return self._done() or not good

    def _measure(self) -> None:
        self.system.residual(self.D, self.X, self.R)
        self.relative = _relative(self.system.norm(self.R), self.sizes)
        if self.unit is None:
            self.given = self.relative
        else:
            r = self.system.backend.to_host(self.R)
            r = r * (self.unit if r.ndim == 1 else self.unit[:, None])
            self.given = _relative(np.atleast_1d(np.sqrt(self.over.squares(r))), self.given_sizes)

    def _done(self) -> bool:
        return bool((np.maximum(self.relative, self.given) <= self.tolerance).all())

    def _undo(self, safe: Any, before: FloatArray) -> None:
        """Columns that a method made worse go back to where it began."""
        worse = ~(self.relative <= before)
        if worse.any():
            # Not by weights: 0 times a non-finite number is NaN.
            x, old = self.system.backend.to_host(self.X), self.system.backend.to_host(safe)
            self.X = self.system.backend.from_host(np.where(worse if x.ndim == 2 else worse[0], old, x))
            self._measure()

    # ---- the result --------------------------------------------------------------------------------------------------
    def answer(self) -> FloatArray:
        """X in the units of d."""
        x = np.asarray(self.system.backend.to_host(self.X) * self.scale)
        return x if self.unit is None else x * (self.unit if x.ndim == 1 else self.unit[:, None])

    def residual(self) -> FloatArray | None:
        """d - (I - M) x in the units of d, as computed; None if these are others than inside, or too small for that."""
        # Scaling is exact but for underflow, which is no more than any product may lose unless entries are huge.
        exact = self.unit is None and bool(np.all(self.scale >= SAFE))
        return np.asarray(self.system.backend.to_host(self.R) * self.scale) if exact else None

    @property
    def products(self) -> int:
        """Passes over the matrix."""
        return self.system.products + self.inner.products + self.swept

    def value_residuals(self) -> FloatArray:
        """(k,) sum |d - (I - M) x| / sum |d| in the units inside."""
        sums = [np.atleast_1d(self.over.sum(np.abs(self.system.backend.to_host(v)))) for v in (self.R, self.D)]
        return _relative(*sums)


def _relative(norms: FloatArray, sizes: FloatArray) -> FloatArray:
    """norms / sizes; where there is no right-hand side, the norm itself."""
    return np.where(sizes > 0.0, norms / np.where(sizes > 0.0, sizes, 1.0), norms)
