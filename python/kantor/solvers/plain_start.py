"""A plan and prices that need no solver: what is certified where a solve ends before it has found anything.

Every good by its cheapest technique at even rents, one unit of objective spread over all limits; repair makes of it a
plan that holds and a bound that is valid, if only a wide one.
"""

from __future__ import annotations

import numpy as np

from ..backends import Backend
from .bounds import DualPoint, planning_prices
from .evaluate import Evaluator
from .repair import PlanPoint
from .rounds import Start


def plain_start(evaluator: Evaluator, backend: Backend) -> Start:
    """Nothing made yet, and the prices of the cheapest techniques.

    >>> from kantor.solvers.program import PlanningProgram
    >>> from kantor.backends import get_backend
    >>> program = PlanningProgram.build("use", np.eye(1), np.zeros((1, 1)), [2.0], cost=[3.0])
    >>> float(plain_start(Evaluator(program), get_backend("reference")).dual.prices[0]) > 2.9
    True
    """
    program = evaluator.program
    m, r = program.shape[1:]
    limits = np.isfinite(program.resource_upper) & (program.resource_upper > 0.0)
    rents = np.zeros(r)
    if program.kind != "use" and limits.any():
        rents[limits] = 1.0 / program.resource_upper[limits] / int(limits.sum())
    prices = planning_prices(evaluator, backend)
    consumption = program.targets if program.kind != "utility" else np.where(program.consumed, program.targets, 0.0)
    scale = 1.0 if program.kind == "scale" else np.nan
    return Start(PlanPoint(np.zeros(m), scale, np.maximum(consumption, 0.0)), DualPoint(prices, rents, np.zeros(r)))
