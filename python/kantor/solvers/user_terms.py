"""Convex terms of a user's own, given by value, proximal map and conjugate; probed at the door, certified by conjugate.

Column j carries phi_j(x) = size_j f(unit_j x; p_j): scaling a program only rewrites ``unit`` and ``size``, so the
functions always see the numbers they were written for. They are called with arrays, one element a column:

    value(x, *p)       f(x), +inf outside its domain
    prox(v, t, *p)     argmin_u f(u) + (u - v)^2 / (2 t), for any v and any t > 0
    conjugate(g, *p)   sup_u g u - f(u), +inf where there is none

NumPy functions will do, and so do functions compiled by ``numba.vectorize`` or ``numba.njit``. The dual objective is
made of the conjugate alone, so a plan's bound is as good as that function is true; that the three belong together is
probed by the Fenchel-Young equality f(u) + f*(g) = g u at u = prox(v, t), g = (v - u)/t (Moreau), and by the inequality
at pairs that do not belong together.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..errors import ProblemError

FloatArray = np.ndarray[Any, np.dtype[np.float64]]
Function = Callable[..., Any]

# Relative to the sizes of the parts; and at how many points.
_TOLERANCE, _PROBES = 1e-7, 64
_STEP = 6e-6  # of numerical derivatives: the cube root of the precision


@dataclass(frozen=True)
class UserTerm:
    """The functions, their parameters (n,) each, and unit and size (n,) of every column."""

    value: Function
    prox: Function
    conjugate: Function
    parameters: tuple[FloatArray, ...]
    unit: FloatArray
    size: FloatArray

    @staticmethod
    def of(
        n: int, columns: Any, value: Function, prox: Function, conjugate: Function, parameters: Sequence[Any] = ()
    ) -> UserTerm:
        """For some of n columns; parameters are numbers or arrays, one element a column. ProblemError if the three
        functions do not belong together."""
        columns, spread = np.asarray(columns, dtype=np.intp), []
        for k, parameter in enumerate(parameters):
            given = np.asarray(parameter, dtype=np.float64)
            if given.ndim and given.shape != columns.shape:
                raise ProblemError(f"parameters[{k}]: shape {given.shape}, expected one number or {columns.shape}")
            whole = np.ones(n)
            whole[columns] = given
            spread.append(whole)
        term = UserTerm(value, prox, conjugate, tuple(spread), np.ones(n), np.ones(n))
        if columns.size:
            term.take(columns).probe()
        return term

    def take(self, columns: Any) -> UserTerm:
        """Those of some columns."""
        parameters = tuple(p[columns] for p in self.parameters)
        return replace(self, parameters=parameters, unit=self.unit[columns], size=self.size[columns])

    def after(self, n: int) -> UserTerm:
        """The same behind n columns without one."""
        join = lambda v: np.concatenate([np.ones(n), v])  # noqa: E731
        parameters = tuple(join(p) for p in self.parameters)
        return replace(self, parameters=parameters, unit=join(self.unit), size=join(self.size))

    def scaled(self, column: FloatArray, objective: float) -> UserTerm:
        """phi' with phi'(x') = objective phi(column x')."""
        return replace(self, unit=self.unit * column, size=self.size * objective)

    # ---- of phi ------------------------------------------------------------------------------------------------
    def values(self, x: FloatArray) -> FloatArray:
        """phi(x), (n,); +inf where it is no number."""
        with np.errstate(all="ignore"):
            found = self._array("value", self.value(self.unit * x, *self.parameters))
        return np.where(np.isnan(found), np.inf, self.size * found)

    def near(self, v: FloatArray, tau: float) -> FloatArray:
        """argmin_u phi(u) + (u - v)^2 / (2 tau)."""
        t = tau * self.size * self.unit**2
        return self._array("prox", self.prox(self.unit * v, t, *self.parameters)) / self.unit

    def conjugates(self, g: FloatArray) -> FloatArray:
        """sup_u g u - phi(u), +inf where it is no number."""
        with np.errstate(all="ignore"):
            found = self._array("conjugate", self.conjugate(g / (self.size * self.unit), *self.parameters))
        return np.where(np.isnan(found), np.inf, self.size * found)

    def slopes(self, x: FloatArray) -> FloatArray:
        """phi'(x) by differences, to some eight digits; one-sided at the end of the domain. Certificates only use it to
        choose where the conjugate is evaluated."""
        h = _STEP * np.maximum(np.abs(x), 1e-3 / self.unit)
        low, here, high = self.values(x - h), self.values(x), self.values(x + h)
        with np.errstate(invalid="ignore"):
            both = (high - low) / (2.0 * h)
            right, left = (high - here) / h, (here - low) / h
        found = np.where(np.isfinite(both), both, np.where(np.isfinite(right), right, left))
        return np.where(np.isfinite(found), found, np.where(np.isfinite(here), 0.0, -np.inf))

    def minimiser(self, rho: FloatArray, lower: FloatArray, upper: FloatArray) -> FloatArray:
        """argmin over [lower, upper] of rho x + phi(x), nearly: the proximal point method with growing steps."""
        x = 1.0 / self.unit
        for k in range(30):
            tau = 4.0**k / (self.size * self.unit**2)
            t = tau * self.size * self.unit**2
            x = self._array("prox", self.prox(self.unit * (x - tau * rho), t, *self.parameters)) / self.unit
        return np.clip(np.where(np.abs(x * self.unit) > 1e12, np.copysign(np.inf, x), x), lower, upper)

    def infimum(self, rho: FloatArray, lower: FloatArray, upper: FloatArray) -> FloatArray:
        """A lower bound of rho x + phi(x) on [lower, upper], and the infimum itself up to rounding, by the conjugate.

        For any s: rho x + phi(x) >= -phi*(-s) + (rho - s) x; s = rho unless a bound is nearer than the minimiser.
        """
        steepest = np.where(np.isfinite(lower), -self.slopes(np.where(np.isfinite(lower), lower, 0.0)), np.inf)
        flattest = np.where(np.isfinite(upper), -self.slopes(np.where(np.isfinite(upper), upper, 0.0)), -np.inf)
        s = np.clip(rho, np.minimum(flattest, steepest), np.maximum(flattest, steepest))
        end = np.where(rho > s, lower, np.where(rho < s, upper, 0.0))
        with np.errstate(invalid="ignore"):
            bound = (rho - s) * end - self.conjugates(-s)
        return np.where(np.isnan(bound), -np.inf, bound)

    # ---- the door ----------------------------------------------------------------------------------------------
    def probe(self) -> None:
        """Raise ProblemError unless value, prox and conjugate are finite where they must be and belong together."""
        rng, n = np.random.default_rng(91), self.unit.size
        at = rng.integers(0, n, _PROBES)
        term = self.take(at)
        v = rng.choice([-1.0, 1.0], _PROBES) * np.exp(rng.uniform(-6.0, 6.0, _PROBES))
        t = np.exp(rng.uniform(-6.0, 6.0, _PROBES))
        with np.errstate(all="ignore"):
            u = term._array("prox", term.prox(v, t, *term.parameters))
            f = term._array("value", term.value(u, *term.parameters))
            g = (v - u) / t
            star = term._array("conjugate", term.conjugate(g, *term.parameters))
        for name, found, given in (("prox", u, v), ("value", f, u), ("conjugate", star, g)):
            wrong = ~np.isfinite(found)
            if wrong.any():
                k = int(np.flatnonzero(wrong)[0])
                what = {"prox": f"prox({v[k]:g}, {t[k]:g})", "value": f"value({given[k]:g}), where prox leads,"}
                what["conjugate"] = f"conjugate({given[k]:g}), a slope of the function,"
                raise ProblemError(f"{name}: {what[name]} is {found[k]}, expected a finite number")
        # g = (v - u)/t carries the rounding of v - u, which g u magnifies.
        size = 1.0 + np.abs(f) + np.abs(star) + np.abs(g * u) + np.abs(u) * (np.abs(v) + np.abs(u)) / t * 1e-6
        off = np.abs(f + star - g * u) / size
        if (off > _TOLERANCE).any():
            k = int(np.argmax(off))
            raise ProblemError(
                f"value, prox and conjugate do not belong together: at u = prox({v[k]:g}, {t[k]:g}) = {u[k]:g}, "
                f"g = (v - u)/t = {g[k]:g}, value(u) + conjugate(g) = {f[k] + star[k]:g}, not g u = {g[k] * u[k]:g}"
            )
        self._inequality(rng, u, g)

    def _inequality(self, rng: np.random.Generator, u: FloatArray, g: FloatArray) -> None:
        """value(x) + conjugate(g) >= g x also where they do not belong together."""
        at = rng.integers(0, self.unit.size, u.size)
        term, other = self.take(at), rng.permutation(u.size)
        with np.errstate(all="ignore"):
            x, slope = u[other], g
            f = term._array("value", term.value(x, *term.parameters))
            star = term._array("conjugate", term.conjugate(slope, *term.parameters))
            gain = slope * x - f - star
        wrong = gain > _TOLERANCE * (1.0 + np.abs(slope * x) + np.abs(f) + np.abs(star))
        if wrong.any() or np.isnan(f).any() or np.isnan(star).any():
            k = int(np.flatnonzero(wrong | np.isnan(f) | np.isnan(star))[0])
            raise ProblemError(
                f"conjugate: conjugate({slope[k]:g}) = {star[k]:g} is less than g x - value(x) at x = {x[k]:g}, "
                f"where value(x) = {f[k]:g}; is the function convex?"
            )

    def fingerprint(self) -> tuple[FloatArray, ...]:
        """What tells one term from another in a checkpoint: parameters, and the functions at a few points."""
        points = [np.full(self.unit.size, v) for v in (0.1, 1.0, 3.0)]
        seen = [self.values(v) for v in points] + [self.conjugates(-v) for v in points]
        return (*self.parameters, self.unit, self.size, *seen)

    def _array(self, name: str, found: Any) -> FloatArray:
        out = np.asarray(found, dtype=np.float64)
        if out.shape != self.unit.shape:
            try:
                return np.array(np.broadcast_to(out, self.unit.shape))
            except ValueError:
                raise ProblemError(f"{name}: returned shape {out.shape}, expected {self.unit.shape}") from None
        return out
