"""Iterations for (I - M) x = d, M = A or A', one right-hand side or many at once, through the backend contract only.

All three methods share one form: they improve x in place, keep one scalar a column (so k systems cost one pass over the
matrix), freeze columns that are done, and return a word that says why they ended. On entry r is the residual of x; it
is overwritten.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np

from ..backends import Backend, Operator
from ..backends.protocol import Array
from .problem import FloatArray

CONVERGED, LIMIT, STALLED, DIVERGED = "converged", "iteration limit", "stalled", "diverged"
BREAKDOWN = 1e-13  # cosine between residual and shadow residual below which BiCGSTAB starts afresh
DEPTH = 3  # differences that Anderson mixes


class System:
    """I - M on a backend, with vector operations that take one weight a column, always as an array (k,).

    With ``scale`` (n,) > 0 it is I - D^-1 M D / radius, D = diag(scale): the same system in other units.
    """

    def __init__(
        self, backend: Backend, op: Operator, width: int | None, scale: Array = None, radius: float = 1.0
    ) -> None:
        self.backend, self.op, self.radius = backend, op, radius
        self.shape: int | tuple[int, int] = op.shape[0] if width is None else (op.shape[0], width)
        self.single = width is None
        self.scale = self.unscale = None
        if scale is not None:
            self.scale, self.unscale = backend.from_host(scale), backend.from_host(1.0 / scale)
            self.spare = backend.zeros(self.shape)
        self.products = 0

    def new(self, source: Array = None) -> Array:
        """An array of zeros, or a copy."""
        out = self.backend.zeros(self.shape)
        if source is not None:
            self.backend.copy(source, out)
        return out

    def times(self, x: Array, out: Array) -> None:
        """out <- M x, in the system's units."""
        self.products += 1
        if self.scale is None:
            self.backend.matvec(self.op, x, out)
        else:
            self.backend.multiply(x, self.scale, self.spare)
            self.backend.matvec(self.op, self.spare, out)
            self.backend.multiply(out, self.unscale, out)

    def apply(self, x: Array, out: Array) -> None:
        """out <- (I - M / radius) x."""
        self.times(x, out)
        self.backend.axpby(1.0, x, -1.0 / self.radius, out)

    def residual(self, d: Array, x: Array, out: Array) -> None:
        """out <- d - (I - M / radius) x."""
        self.apply(x, out)
        self.backend.axpby(1.0, d, -1.0, out)

    def axpby(self, a: Any, x: Array, b: Any, y: Array) -> None:
        """y <- a x + b y with a, b numbers or one weight a column, (k,)."""
        self.backend.axpby(self._weight(a), x, self._weight(b), y)

    def _weight(self, a: Any) -> Any:
        if np.ndim(a) == 0:
            return float(a)
        return float(a[0]) if self.single else a

    def dot(self, *pairs: tuple[Array, Array]) -> FloatArray:
        """x.y of each pair by column: (pairs, k), also for one column."""
        found = np.asarray(self.backend.dot(pairs))
        return found[:, None] if self.single else found

    def norm(self, x: Array) -> FloatArray:
        """2-norm of each column: (k,)."""
        return np.atleast_1d(self.backend.norm([x])[0])


class Watch:
    """Decides after every iteration which columns go on, from their residual norms (k,)."""

    def __init__(
        self,
        target: FloatArray,
        limit: int,
        progress: Callable[[int, FloatArray], None] | None = None,
        *,
        probe: Callable[[], None] | None = None,
        probe_after: int = 200,
    ) -> None:
        self.target, self.limit, self.progress = target, limit, progress
        self.probe, self.probe_after = probe, probe_after
        self.iterations = 0
        self.reason = ""

    def start(self, norms: FloatArray, patience: float) -> np.ndarray[Any, Any]:
        """Begin a method; ``patience``: iterations without a fall of the best norm by a tenth that count as a stall."""
        self.reason, self.patience = CONVERGED, patience
        self.best, self.since = norms.copy(), np.zeros(norms.size)
        self.active = norms > self.target
        return self.active

    def look(self, norms: FloatArray) -> np.ndarray[Any, Any]:
        """Count one iteration; the columns that go on, none of them if ``reason`` says so."""
        self.iterations += 1
        if self.progress is not None:
            self.progress(self.iterations, norms)
        if self.probe is not None and self.iterations == self.probe_after:
            self.probe()
        self.active = self.active & ~(norms <= self.target)  # written so that NaN goes on, to be seen below
        improved = norms < 0.9 * self.best
        self.best = np.where(improved, norms, self.best)
        self.since = np.where(improved, 0, self.since + 1)
        if not np.isfinite(norms).all():
            self._stop(DIVERGED)
        elif self.active.any() and self.iterations >= self.limit:
            self._stop(LIMIT)
        elif (self.active & (self.since > self.patience)).any():
            self._stop(STALLED)
        return self.active

    def _stop(self, reason: str) -> None:
        self.reason = reason
        self.active = np.zeros_like(self.active)


def bicgstab(system: System, d: Array, x: Array, r: Array, watch: Watch, patience: float = 200) -> str:
    """BiCGSTAB (van der Vorst 1992), two products an iteration; a column that breaks down starts afresh where it is."""
    v, t, shadow, p = system.new(), system.new(), system.new(r), system.new(r)
    rho = system.dot((r, r))[0]
    size = np.sqrt(rho)
    active = watch.start(size, patience)
    while active.any():
        # alpha = rho / shadow.(I - M)p;  s = r - alpha (I - M)p
        system.apply(p, v)
        alpha = _ratio(rho, system.dot((shadow, v))[0], active)
        system.axpby(-alpha, v, 1.0, r)
        # omega minimises ||s - omega (I - M)s||;  x += alpha p + omega s;  r = s - omega (I - M)s
        system.apply(r, t)
        ts, tt = system.dot((t, r), (t, t))
        omega = _ratio(ts, tt, active)
        system.axpby(alpha, p, 1.0, x)
        system.axpby(omega, r, 1.0, x)
        system.axpby(-omega, t, 1.0, r)
        rho_new, rr = system.dot((shadow, r), (r, r))
        active = watch.look(np.sqrt(rr))
        # beta = (rho_new / rho)(alpha / omega);  p = r + beta (p - omega (I - M)p)
        beta = _ratio(rho_new * alpha, rho * omega, active)
        broken = active & ((beta == 0.0) | (np.abs(rho_new) <= BREAKDOWN * size * np.sqrt(rr)))
        beta[broken] = 0.0
        system.axpby(-omega, v, 1.0, p)
        system.axpby(1.0, r, beta, p)
        if broken.any():
            system.axpby(broken * 1.0, r, 1.0 - broken, shadow)
            size = np.where(broken, np.sqrt(rr), size)
        rho = np.where(broken, rr, rho_new)
    return watch.reason


def _ratio(a: FloatArray, b: FloatArray, active: np.ndarray[Any, Any]) -> FloatArray:
    """a / b where the column goes on and the quotient is a number, else 0: a step of zero length."""
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        quotient = a / b
    return np.where(active & np.isfinite(quotient), quotient, 0.0)


def anderson(system: System, d: Array, x: Array, f: Array, watch: Watch, patience: float = 200) -> str:
    """Anderson mixing of depth 3 on x <- M x + d (Walker and Ni 2011): one product and one batch of dots a step.

    f = M x + d - x; with the last differences dF of f and dG of g = x + f, gamma minimises ||f - dF gamma|| and
    x <- g - dG gamma.
    """
    f_old, g_old = system.new(), system.new()
    dF, dG = [system.new() for _ in range(DEPTH)], [system.new() for _ in range(DEPTH)]
    columns = 1 if system.single else system.shape[1]  # type: ignore[index]
    gram = np.zeros((columns, DEPTH, DEPTH))
    active = watch.start(system.norm(f), patience)
    step = 0
    while active.any():
        # x becomes g in place; a slot takes the newest differences of f and g
        system.axpby(active * 1.0, f, 1.0, x)
        if step > 0:
            slot = (step - 1) % DEPTH
            for new, old, difference in ((f, f_old, dF[slot]), (x, g_old, dG[slot])):
                system.backend.copy(old, difference)
                system.axpby(1.0, new, -1.0, difference)
        system.backend.copy(f, f_old)
        system.backend.copy(x, g_old)
        used = min(step, DEPTH)
        if used:
            dots = system.dot(*((dF[slot], dF[i]) for i in range(used)), *((dF[i], f) for i in range(used)))
            gram[:, slot, :used] = gram[:, :used, slot] = dots[:used].T
            gamma = _mixing(gram[:, :used, :used], dots[used:].T)
            for i in range(used):
                system.axpby(np.where(active, -gamma[:, i], 0.0), dG[i], 1.0, x)
        step += 1
        system.residual(d, x, f)
        active = watch.look(system.norm(f))
    return watch.reason


def _mixing(gram: FloatArray, right: FloatArray) -> FloatArray:
    """gamma (k, m) with (gram + 1e-14 trace I) gamma = right, zero for a column whose differences vanish."""
    trace = np.trace(gram, axis1=1, axis2=2)
    ridge = np.where(trace > 0.0, 1e-14 * trace, 1.0)
    gamma = np.linalg.solve(gram + ridge[:, None, None] * np.eye(gram.shape[1]), right[:, :, None])[:, :, 0]
    return np.where(np.isfinite(gamma), gamma, 0.0)


def neumann(system: System, d: Array, x: Array, f: Array, watch: Watch, patience: float = 2000) -> str:
    """Plain sweeps x <- M x + d: slow, but from x = 0 with M, d >= 0 every iterate is a lower bound that rises."""
    active = watch.start(system.norm(f), patience)
    while active.any():
        system.axpby(active * 1.0, f, 1.0, x)
        system.residual(d, x, f)
        active = watch.look(system.norm(f))
    return watch.reason


METHODS: dict[str, Callable[[System, Array, Array, Array, Watch], str]] = {
    "bicgstab": bicgstab,
    "anderson": anderson,
    "neumann": neumann,
}


class Stopwatch:
    """Seconds of named phases, for SolveInfo.seconds."""

    def __init__(self) -> None:
        self.begin = self.last = time.perf_counter()
        self.seconds: dict[str, Any] = {}

    def lap(self, name: str) -> None:
        """Book the time since the last lap under ``name``."""
        now = time.perf_counter()
        self.seconds[name] = self.seconds.get(name, 0.0) + now - self.last
        self.last = now
        self.seconds["total"] = now - self.begin

    def elapsed(self) -> float:
        """Seconds since the start."""
        return time.perf_counter() - self.begin
