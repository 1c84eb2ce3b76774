"""Policy iteration: the cheapest technique of every good at given full costs, and the plan that uses only those.

p = c_P + A_P'p values the techniques P; every good then switches to the technique that is cheapest at p, if that is
strictly cheaper, and so on until none is (Howard 1960; for Leontief substitution systems Koehler, Whinston and Wright
1975). Prices fall with every round, so no policy comes back; strict improvement keeps ties from cycling. The policy
does not depend on what is demanded.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from .problem import FloatArray
from .technology import Technology

STRICT = 1e-9  # a technique must be cheaper by this share of its good's price to be switched to
_ROUGH = 1e-3  # prices between two switches need no more than this
_MOST_ROUNDS = 200


@dataclass(frozen=True)
class Policy:
    """Techniques chosen (n,), their prices p = c_P + A_P'p (n,), A_P' (n, n) as the technology has it, the rounds."""

    choice: np.ndarray[Any, Any]
    prices: FloatArray
    rows: Any
    rounds: int


def cheapest_policy(
    technology: Technology, cost: FloatArray, start: Policy | None = None, tolerance: float = 1e-11
) -> Policy:
    """Policy iteration at costs (m,) per unit of output, from ``start`` or from the cheapest at no input cost.

    Prices come to ``tolerance`` only in the last round; no technique is cheaper than its good's price by more than
    ``STRICT`` of it then.
    """
    if start is None:
        prices = np.zeros(technology.shape[0])
        for _ in range(3):
            prices, choice = technology.least(cost + technology.input_cost(prices))
        rows = technology.rows(choice)
    else:
        choice, prices, rows = start.choice, start.prices, start.rows
    accuracy, rounds = max(_ROUGH, tolerance), 0
    while True:
        rounds += 1
        prices = technology.solve(rows, cost[choice], prices, accuracy)
        unit = cost + technology.input_cost(prices)
        least, cheaper = technology.least(unit)
        # What the present technique costs at the same prices, not the prices themselves: those are approximate.
        switch = least < unit[choice] - STRICT * np.abs(unit[choice])
        if technology.anywhere(switch) and rounds < _MOST_ROUNDS:
            choice = np.where(switch, cheaper, choice)
            rows = technology.rows(choice)
            prices = least
            continue
        if accuracy <= tolerance or rounds >= _MOST_ROUNDS:
            return Policy(choice, unit[choice], rows, rounds)
        accuracy = max(tolerance, 1e-4 * accuracy)


def outputs_of(
    technology: Technology,
    policy: Policy,
    demand: FloatArray,
    start: FloatArray | None = None,
    tolerance: float = 1e-11,
) -> FloatArray:
    """Gross outputs (n,) in value that deliver ``demand`` (n,) in value by the policy's techniques: q = A_P q + d."""
    start = demand if start is None else start
    return np.maximum(technology.solve(technology.turned(policy.rows), demand, start, tolerance), 0.0)
