"""Prices of production: equal rate of profit in every process, given the real wage or the rate of profit.

Single products, wages paid after production (Sraffa 1960) or advanced, with g = 1 + r, l labour per unit, w the wage:

    after      p = g A'p + w l            advanced      p = g (A'p + w l)

so p = w c(g) with c(g) = (I - g A')^-1 l, times g if advanced. For a real wage b per unit of labour, w = b.p, g solves
b.c(g) = 1. Each c(g) is one Leontief solve with g A, productive if g rho(A) < 1, and b.c(g) rises in g: a root of one
unknown, enclosed by two points where certified bounds on c(g) prove the sign. For advanced wages g is 1/rho(A + b l'),
the Perron-Frobenius root (Morishima 1973, Marx's Economics); A + b l' is not formed.

Joint production, p'B = g p'A + w l': the pencil (B - b l', A) of Steedman (1975, Economic Journal 85, 114-123), solved
densely, because no sign argument holds there.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import scipy.linalg
import scipy.sparse as sp
from scipy.optimize import brentq

from ..backends import Backend
from ..data.base import own_techniques
from ..data.economy import Economy
from ..data.labels import aligned, position, show
from ..errors import OptionError, ProblemError, suggest
from ..solvers.productive import check_productive
from .system import TOLERANCE, Bounded, InputOutput, solve

JOINT_SIZE = 2000  # a dense generalised eigenvalue problem of this size takes a minute
HALVINGS = 30  # of the distance to the maximum rate of profit


@dataclass(frozen=True)
class ProductionPrices:
    """Prices, wage and rate of profit that go together.

    prices : (n,) in units of the numeraire
    wage : per unit of labour, in units of the numeraire
    profit_rate : r; profit_rate_bounds : (lower, upper) proved to hold the exact rate for the given real wage; equal
        if the rate was given, (-inf, inf) for joint production, where nothing is proved
    maximum_profit_rate : at a wage of zero, 1/rho(A) - 1 (lower end of its proved bounds); NaN for joint production
    residual : largest |revenue - costs| of a process over its revenue
    notes : other solutions, if there are any
    """

    prices: pd.Series
    wage: float
    profit_rate: float
    profit_rate_bounds: tuple[float, float]
    maximum_profit_rate: float
    residual: float
    notes: tuple[str, ...] = ()


def production_prices(
    economy: Economy,
    labour: str = "labour",
    *,
    real_wage: Any = None,
    profit_rate: float | None = None,
    wages: str = "after",
    numeraire: Any = None,
    tolerance: float = TOLERANCE,
    backend: str | Backend = "auto",
) -> ProductionPrices:
    """Prices with a uniform rate of profit.

    Parameters
    ----------
    economy : one technique for each product; or as many techniques as products (joint production, up to 2,000)
    labour : indicator or alias: labour per unit of activity
    real_wage : what one unit of labour buys: a Series or mapping over all products, or an array (n,). Or
    profit_rate : r >= 0. Give exactly one of the two
    wages : "after" production, not part of the capital advanced, or "advanced"
    numeraire : a product whose price is 1, or a Series, mapping or array: a basket whose price is 1. None: labour, so
        that prices are labour commanded
    tolerance, backend : as in :func:`kantor.solve_leontief`

    Raises ProblemError if the economy is not productive, the real wage cannot be paid (it needs more labour than it
    buys), or the rate of profit is not below the maximum.

    >>> eco = Economy.from_iot(A=[[0.5, 0.0], [0.25, 0.25]], Y=[100.0, 100.0], S=[1.0, 1.0],
    ...                        indicators=["labour"], labels=["iron", "corn"])
    >>> found = production_prices(eco, profit_rate=0.25, numeraire="corn")
    >>> found.prices.round(4).to_dict(), found.maximum_profit_rate
    ({'iron': 2.6667, 'corn': 1.0}, 0.9999...)
    """
    if (real_wage is None) == (profit_rate is None):
        raise OptionError("production_prices: give either real_wage or profit_rate")
    if wages not in ("after", "advanced"):
        raise OptionError(f"wages: {wages!r} is unknown" + suggest(wages, ("after", "advanced")))
    if profit_rate is not None and not 0.0 <= profit_rate < np.inf:
        raise OptionError(f"profit_rate: {profit_rate!r}, expected a number >= 0")
    basket = None if real_wage is None else aligned(real_wage, economy.products, "real_wage")
    if basket is not None and (basket.min() < 0.0 or not basket.any()):
        raise ProblemError("real_wage: expected non-negative amounts, at least one of them positive")
    advanced = wages == "advanced"
    if own_techniques(economy) is None:
        found = _joint(economy, labour, basket, profit_rate, advanced)
    else:
        system = InputOutput.of(economy, "production_prices", labour, tolerance, backend)
        found = _Single(system, advanced).prices(basket, profit_rate)
    return _in_numeraire(found, economy, numeraire)


class _Single:
    """Single production: cost prices c(g) in units of the wage."""

    def __init__(self, system: InputOutput, advanced: bool) -> None:
        self.system, self.advanced = system, advanced
        self.labour = system.S.to_numpy()[0]
        if self.labour.min() < 0.0:
            at = int(np.argmin(self.labour))
            raise ProblemError(f"labour: {show(system.products[at])!r} uses {float(self.labour[at])!r}, expected >= 0")
        if system.A.nnz and system.A.data.min() < 0.0:
            raise ProblemError("production_prices: the table has negative inputs, expected A >= 0 (Perron-Frobenius)")
        radius = check_productive(system.A, system.products, tolerance=1e-12, backend=system.backend)
        # Below this factor every g A is proved productive.
        self.largest = 1.0 / radius.upper if radius.upper > 0.0 else np.inf

    def cost(self, g: float) -> Bounded:
        """c(g), with wages of 1."""
        A = sp.csr_array((g * self.system.A.data, self.system.A.indices, self.system.A.indptr), self.system.A.shape)
        right = g * self.labour if self.advanced else self.labour
        return solve(A, right, True, self.system.tolerance, self.system.backend)

    def prices(self, basket: np.ndarray | None, rate: float | None) -> ProductionPrices:
        if rate is not None:
            if not 1.0 + rate < self.largest:
                raise ProblemError(
                    f"profit_rate: {rate!r} is not below the maximum of {self.largest - 1.0:.10g} that this technology "
                    "can pay at a wage of zero"
                )
            g, bounds = 1.0 + rate, (rate, rate)
        else:
            assert basket is not None
            low, high = self._enclose(basket)
            g, bounds = 0.5 * (low + high), (low - 1.0, high - 1.0)
        c = self.cost(g).value
        A, labour = self.system.A, self.labour
        costs = g * (A.T @ c + labour) if self.advanced else g * (A.T @ c) + labour
        residual = float(np.max(np.abs(c - costs) / np.where(c > 0.0, c, 1.0)))
        prices = pd.Series(c, self.system.products, name="price")
        return ProductionPrices(prices, 1.0, g - 1.0, bounds, self.largest - 1.0, residual)

    def _enclose(self, basket: np.ndarray) -> tuple[float, float]:
        """An interval of g proved to hold b.c(g) = 1: Brent's root, then the nearest points with proved signs."""
        worth = self._worth(basket, 1.0)
        if worth is None or worth >= 0.0:
            hours = float(basket @ self.cost(1.0).value)
            raise ProblemError(
                f"real_wage: what one unit of labour buys takes {hours:.10g} units of labour to make, expected below 1"
            )
        low, high = 1.0, self._too_high(basket)
        root = brentq(lambda g: float(basket @ self.cost(g).value) - 1.0, low, high, xtol=1e-15, rtol=1e-15)
        return self._straddle(basket, root, -1.0, low), self._straddle(basket, root, 1.0, high)

    def _too_high(self, basket: np.ndarray) -> float:
        """A factor below the maximum at which the real wage costs more than the wage."""
        for k in range(1, HALVINGS):
            g = self.largest - (self.largest - 1.0) * 0.5**k if np.isfinite(self.largest) else 2.0**k
            worth = self._worth(basket, g)
            if worth is not None and worth > 0.0:
                return g
        raise ProblemError(
            "real_wage: it costs less than the wage at every rate of profit that all products can earn; expected goods "
            "that need labour and the products that limit the rate of profit"
        )

    def _straddle(self, basket: np.ndarray, root: float, side: float, end: float) -> float:
        """A point on one side of the root, as near as its sign can be proved."""
        width = 1e-15 * root
        while abs(width) < abs(end - root):
            worth = self._worth(basket, root + side * width)
            if worth is not None and worth * side > 0.0:
                return root + side * width
            width *= 4.0
        return end

    def _worth(self, basket: np.ndarray, g: float) -> float | None:
        """b.c(g) - 1, or None if its sign is not certain."""
        c = self.cost(g)
        worth = float(basket @ c.value)
        doubt = float(basket @ c.bound) + (basket.size + 2) * 2**-52 * worth
        return None if abs(worth - 1.0) <= doubt else worth - 1.0


def _joint(
    economy: Economy, labour: str, basket: np.ndarray | None, rate: float | None, advanced: bool
) -> ProductionPrices:
    """As many processes as products: a linear system for a given rate, a pencil for a given real wage."""
    n = economy.n_goods
    if economy.n_techniques != n:
        raise ProblemError(
            f"production_prices: {economy.n_techniques} techniques for {n} products, expected as many as products"
        )
    if n > JOINT_SIZE:
        raise ProblemError(f"production_prices: {n} products with joint production, expected at most {JOINT_SIZE}")
    B, A = economy.output_coefficients.toarray().T, economy.A.toarray().T  # rows are processes
    l = economy.indicator(labour).to_numpy()  # noqa: E741 - the letter of the literature
    notes: tuple[str, ...] = ()
    if rate is not None:
        g = 1.0 + rate
        try:
            p = np.linalg.solve(B - g * A, g * l if advanced else l)
        except np.linalg.LinAlgError as error:
            raise ProblemError(f"profit_rate: no prices at {rate!r}, B - (1 + r) A is singular") from error
        if not (p > 0.0).all():
            at = int(np.argmin(p))
            raise ProblemError(
                f"profit_rate: at {rate!r} the price of {show(economy.products[at])!r} would be {p[at]:.6g} wages, "
                "expected prices above 0"
            )
        wage = 1.0
    else:
        assert basket is not None
        paid = np.outer(l, basket)
        found = _positive_solutions(*((B, A + paid) if advanced else (B - paid, A)))
        if not found:
            raise ProblemError("real_wage: no rate of profit above -100 % goes with positive prices")
        g, p = found[0]
        wage = float(basket @ p)
        notes = tuple(f"another solution has the rate of profit {other - 1.0:.10g}" for other, _ in found[1:])
    revenue = B @ p
    costs = g * (A @ p + wage * l) if advanced else g * (A @ p) + wage * l
    residual = float(np.max(np.abs(revenue - costs) / np.maximum(np.abs(revenue), np.finfo(float).tiny)))
    prices = pd.Series(p, economy.products, name="price")
    bounds = (-np.inf, np.inf) if basket is not None else (g - 1.0, g - 1.0)
    return ProductionPrices(prices, wage, g - 1.0, bounds, np.nan, residual, notes)


def _positive_solutions(left: np.ndarray, right: np.ndarray) -> list[tuple[float, np.ndarray]]:
    """(g, p) with left p = g right p, g > 0 real and p > 0, the smallest g first."""
    factors, vectors = scipy.linalg.eig(left, right)
    found = []
    for g, p in zip(factors, vectors.T, strict=True):
        if np.isfinite(g) and abs(g.imag) <= 1e-9 * abs(g) and g.real > 0.0:
            p = p / p[np.argmax(np.abs(p))]
            if np.abs(p.imag).max() <= 1e-9 and p.real.min() > 0.0:
                found.append((float(g.real), p.real))
    return sorted(found, key=lambda pair: pair[0])


def _in_numeraire(found: ProductionPrices, economy: Economy, numeraire: Any) -> ProductionPrices:
    """Prices and wage divided by the price of the numeraire."""
    if numeraire is None:
        worth = found.wage
    else:
        at = position(numeraire, economy.products) if not isinstance(numeraire, pd.Series | dict | np.ndarray) else None
        p = found.prices.to_numpy()
        if at is not None:
            worth = float(p[at])
        elif isinstance(numeraire, pd.Series | dict | np.ndarray | list):
            worth = float(aligned(numeraire, economy.products, "numeraire") @ p)
        else:
            known = [show(label) for label in economy.products[:2000]]
            raise ProblemError(
                f"numeraire: {show(numeraire)!r} is none of the products" + suggest(show(numeraire), known)
            )
    if not worth > 0.0:
        raise ProblemError(f"numeraire: it has the price {worth!r}, expected a positive one")
    return ProductionPrices(
        (found.prices / worth).rename("price"),
        found.wage / worth,
        found.profit_rate,
        found.profit_rate_bounds,
        found.maximum_profit_rate,
        found.residual,
        found.notes,
    )
