"""Where a block exchange stands: points, the best of them, and how a search ended."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from .problem import FloatArray


@dataclass
class Point:
    """Outputs by technique (m,), scale t (1 unless a variable), prices (n,), rents of limits (r,), all in value."""

    output: FloatArray
    scale: float
    prices: FloatArray
    rents: FloatArray


class Best:
    """The best plan and the best prices so far, each by its own estimate: rounds that mend one disturb the other.

    >>> at = lambda output, price: Point(np.array([output]), 1.0, np.array([price]), np.zeros(0))
    >>> best = Best(scaled=False, point=at(9.0, 1.0))
    >>> best.add(at(8.0, 2.0), plan=8.0, prices=2.0), best.add(at(5.0, 1.0), plan=5.0, prices=1.0)
    (0.75, 0.6)
    >>> best.point.output.tolist(), best.point.prices.tolist()
    ([5.0], [2.0])
    """

    def __init__(self, scaled: bool, point: Point) -> None:
        self.scaled, self.point = scaled, point
        self.plan, self.prices = (-np.inf, np.inf) if scaled else (np.inf, -np.inf)

    def add(self, point: Point, plan: float, prices: float) -> float:
        """Take what is better of another point; the relative distance of the two values."""
        sign = -1.0 if self.scaled else 1.0
        if sign * plan < sign * self.plan:
            self.plan = plan
            self.point = replace(self.point, output=point.output, scale=point.scale)
        if sign * prices > sign * self.prices:
            self.prices = prices
            self.point = replace(self.point, prices=point.prices, rents=point.rents)
        return abs(self.plan - self.prices) / max(abs(self.plan), 1e-300)


@dataclass
class Exchanged:
    """The point reached, whether nothing is in doubt any more, rounds, goods in doubt, estimated gap, and why."""

    point: Point
    settled: bool
    rounds: int
    doubts: int
    gap: float
    why: str
