"""A utility of the user's own, given by value, proximal map and conjugate."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import numpy as np
import pandas as pd

from ..data.economy import Economy
from ..errors import ProblemError
from ..solvers.problem import FloatArray, SeparableTerms
from .objectives import CompiledObjective, Utility, Weights
from .weights import positions


@dataclass(frozen=True, kw_only=True)
class UserUtility(Utility):
    """``max sum_i w_i u(C_i / g_i)`` for any concave u, subject to ``N x >= C`` and the limits, C >= 0.

    value : u(f, p) of fulfilment f = C/g, minus infinity outside its domain
    prox : argmax over f of u(f) - (f - v)^2 / (2 t), as prox(v, t, p) for any v and any t > 0
    conjugate : sup over f of u(f) - q f, as conjugate(q, p); infinity where there is none
    parameters : name -> number, or mapping or Series by product (all consumed ones named); passed in this order as p
    weights : as in :class:`kantor.Harmony`

    The functions work on NumPy arrays, one element a product; compiled by ``numba.vectorize`` or ``numba.njit`` they
    are used as they are. They are probed, and refused with a ProblemError where they do not belong together. The upper
    bound of the result is made of ``conjugate`` alone: it is as true as that function is. Solved by the first-order
    method; a plan folder cannot hold functions, so such a plan is not saved.

    >>> root = UserUtility(value=lambda f: -f**2 / 2, prox=lambda v, t: v / (1 + t), conjugate=lambda q: q**2 / 2)
    >>> root.name
    'user'
    """

    value: Callable[..., Any]
    prox: Callable[..., Any]
    conjugate: Callable[..., Any]
    parameters: Mapping[str, Any] = field(default_factory=dict)
    weights: Weights = None
    name: ClassVar[str] = "user"

    def _terms(self, terms: SeparableTerms, at: np.ndarray, weight: FloatArray, target: FloatArray) -> float:
        return 0.0

    def compile(self, economy: Economy, targets: FloatArray) -> CompiledObjective:
        made = super().compile(economy, targets)
        assert made.terms is not None
        assert made.weights is not None
        at = np.flatnonzero(made.targets > 0)
        value, conjugate = self.value, self.conjugate
        terms = made.terms.with_user(
            at, lambda f, *p: -value(f, *p), self.prox, lambda g, *p: conjugate(-g, *p),
            [self._parameter(name, economy, at) for name in self.parameters],
        )  # fmt: skip
        assert terms.user is not None
        unit, size = np.ones(targets.size), np.ones(targets.size)
        unit[at], size[at] = 1.0 / targets[at], made.weights[at]
        terms.b[at] = targets[at]
        return replace(made, terms=replace(terms, user=replace(terms.user, unit=unit, size=size)))

    def _parameter(self, name: str, economy: Economy, at: np.ndarray) -> Any:
        given = self.parameters[name]
        if isinstance(given, int | float | np.number):
            return float(given)
        series = pd.Series(given, dtype=np.float64)
        out = np.full(len(economy.products), np.nan)
        out[positions(series.index, economy.products, f"parameters[{name!r}]")] = series.to_numpy()
        missing = at[~np.isfinite(out[at])]
        if missing.size:
            label = economy.products[missing[0]]
            raise ProblemError(f"parameters[{name!r}]: no finite number for product {label!r}, which is consumed")
        return out[at]

    def unit(self, economy: Economy) -> str:
        return "utility"
