"""Stability of plans: a price on change, or a budget for it, in units of the whole economy.

The change of a plan against an earlier one is ``sum_j v_j |x_j - a_j| / sum_j v_j a_j``: 0.01 says that one per cent of
all activity, weighed by its worth v at the earlier plan's prices, moved up or down. It becomes part of the plan through
goods and techniques, so that the plan has its certificate like any other: technique j needs one unit of "leave to
rise j", of which ``a_j`` come free and more are counted; and what it runs at, and what is counted as its fall, must
together reach ``a_j``.

Source for such penalties in rolling plans: Sridharan, Berry and Udayabhanu, Freezing the master production schedule
under rolling planning horizons, Management Science 33 (1987).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from ..errors import OptionError, ProblemError
from ..modelling.extension import Extension
from ..planning.combined import WeightedSum
from ..planning.limits import Limit
from ..planning.objectives import MinimiseUse, Utility
from ..planning.result import PlanResult
from ..solvers.problem import FloatArray
from .apply import Question
from .change import find

CHANGE, STANDING = "change of activity", "standing plan"


@dataclass(frozen=True, kw_only=True)
class Stability:
    """A price on change, a budget for change, or both.

    price : what a change of the whole economy (1.0) costs, in units of the objective; with 0.1 and a largest scale a
        change of one per cent of all activity has to bring at least 0.001 of scale. None: change costs nothing.
    at_most : largest change, as a share of the whole; works with every objective.
    techniques : labels of those that count; None: all, those that stood idle included

    For plans of one period; over years ``Horizon(rise=..., fall=...)`` bounds change. Every technique that counts adds
    two goods and three techniques, which suits thousands of them.
    """

    price: float | None = None
    at_most: float | None = None
    techniques: Sequence[Any] | None = None

    def __post_init__(self) -> None:
        if self.price is None and self.at_most is None:
            raise OptionError("stability: give a price on change, or the most of it")
        for name, value in (("price", self.price), ("at_most", self.at_most)):
            if value is not None and not (np.isfinite(value) and (value > 0 if name == "price" else value >= 0)):
                raise OptionError(f"stability: {name} is {value!r}, expected a finite number >= 0")


def steadied(question: Question, stability: Stability, earlier: PlanResult, planned: FloatArray) -> Question:
    """The question with change counted against ``planned`` (m,), the earlier plan's activity.

    Raises OptionError for a price beside a utility, whose units it would not have, and for plans over years.
    """
    if question.horizon is not None:
        raise OptionError("stability: for plans of one period; over years use Horizon(rise=..., fall=...)")
    if stability.price is not None and isinstance(question.objective, Utility):
        raise OptionError(f"stability: a price cannot be in units of {question.objective.name!r}; use at_most")
    economy = question.economy
    at = np.arange(economy.n_techniques)
    if stability.techniques is not None:
        at = find(pd.Series(list(stability.techniques), dtype=object), economy.techniques, "stability")
    worth = _worth(question, earlier)[at] * planned[at]
    if not worth.sum() > 0:
        raise ProblemError("stability: none of the techniques that count ran in the earlier plan")
    weights = (
        np.maximum(_worth(question, earlier)[at], 1e-9 * worth.sum() / max(planned[at].sum(), 1e-300)) / worth.sum()
    )
    larger = _counted(question, at, planned[at], weights)
    limits = dict(question.limits) | {STANDING: Limit(at_least=1.0)}
    if stability.at_most is not None:
        limits[CHANGE] = Limit(at_most=stability.at_most)
    objective = question.objective
    if stability.price is not None:
        parts, shares = [objective], [1.0]
        if isinstance(objective, WeightedSum):
            pairs = objective.parts()
            parts, shares = [part for _, part in pairs], [share for share, _ in pairs]
        objective = WeightedSum([*parts, MinimiseUse(CHANGE)], [*shares, stability.price])
    targets = question.targets.reindex(larger.products, fill_value=0.0)
    stock = np.append(question.stock, np.zeros(len(larger.products) - len(question.stock)))
    return dataclasses.replace(
        question, economy=larger, targets=targets, limits=limits, objective=objective, stock=stock
    )


def _worth(question: Question, earlier: PlanResult) -> FloatArray:
    """Worth (m,) of a unit of activity: of what it makes, at the earlier plan's prices."""
    prices = earlier.prices.reindex(question.economy.products, fill_value=0.0).to_numpy(np.float64)
    return np.asarray(question.economy.output_coefficients.T @ prices)


def _counted(question: Question, at: np.ndarray[Any, Any], activity: FloatArray, weights: FloatArray) -> Any:
    economy = question.economy
    try:
        base = economy.base_plan(question.targets)
    except ProblemError:
        base = None
    new = Extension(economy, base)
    new.indicator(CHANGE, "share of all activity")
    new.indicator(STANDING, "1")
    falls: dict[int, float] = {}
    # A unit of keeping, rising or falling is the whole earlier activity: entries near one, whatever the units.
    usual = float(activity[activity > 0].mean())
    for j, amount, weight in zip(at.tolist(), activity.tolist(), weights.tolist(), strict=True):
        label = economy.techniques[j]
        name = " / ".join(map(str, label)) if isinstance(label, tuple) else str(label)
        rise, fall, unit = new.good(f"leave to rise {name}"), new.good(f"standing {name}"), amount or usual
        new.inputs.append((rise, j, 1.0))
        new.outputs.append((fall, j, 1.0))
        if amount > 0:
            new.technique(f"keep {name}", output={rise: unit}, capacity=1.0)
            new.technique(f"fall of {name}", output={fall: unit}, use={CHANGE: weight * unit})
            falls[fall] = amount
        new.technique(f"rise of {name}", output={rise: unit}, use={CHANGE: weight * unit})
    new.technique(STANDING, input=falls, use={STANDING: 1.0})
    return new.build()
