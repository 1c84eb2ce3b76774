"""Differential privacy: aggregates of people's ballots or consumption with noise, from a budget that is accounted.

With epsilon the presence or absence of one person changes the probability of any published number by a factor of at
most exp(epsilon). Every publication spends from one budget, and what was spent is printed with it; when it is used up,
nothing more is published. Noise and its proof are OpenDP's (Dwork and Roth, The Algorithmic Foundations of Differential
Privacy, 2014, theorem 3.6; sums of spending: theorem 3.16).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from ...errors import OptionError, ProblemError, need
from ...solvers.problem import FloatArray
from .priorities import borda_points, shares_of

PRIVATE_RULES = ("mean", "quadratic", "borda")


@dataclass
class PrivacyBudget:
    """What may be spent in all, and what was spent on what.

    >>> budget = PrivacyBudget(1.0)
    >>> budget.spend(0.4, "weights")
    >>> print(budget)
    privacy budget: 0.4 of 1 spent (weights 0.4)
    """

    total: float
    spent: list[tuple[str, float]] = field(default_factory=list)

    def __post_init__(self) -> None:
        if not (np.isfinite(self.total) and self.total > 0):
            raise OptionError(f"total: got {self.total!r}, expected a number > 0")

    @property
    def left(self) -> float:
        """What may still be spent."""
        return self.total - sum(epsilon for _, epsilon in self.spent)

    def spend(self, epsilon: float, what: str) -> None:
        """Enter a publication; ProblemError, before anything is published, if it is more than is left."""
        if not (np.isfinite(epsilon) and epsilon > 0):
            raise OptionError(f"epsilon: got {epsilon!r}, expected a number > 0")
        if epsilon > self.left * (1.0 + 1e-12):
            raise ProblemError(
                f"privacy: {what!r} would spend {epsilon:g}, and only {self.left:g} of {self.total:g} is left"
            )
        self.spent.append((what, float(epsilon)))

    def to_dict(self) -> dict[str, Any]:
        """For the books of a plan."""
        return {"epsilon_total": self.total, "epsilon_left": self.left, "spent": [list(entry) for entry in self.spent]}

    def __str__(self) -> str:
        parts = ", ".join(f"{what} {epsilon:g}" for what, epsilon in self.spent) or "nothing"
        return f"privacy budget: {self.total - self.left:g} of {self.total:g} spent ({parts})"


def private_sums(values: Any, bound: float, epsilon: float, budget: PrivacyBudget, what: str) -> FloatArray:
    """Column sums (k,) of personal values (people, k) with Laplace noise.

    bound : the most that the values of one person add up to, in absolute terms; a person with more is scaled down to
        it, so the bound holds whatever is in the data
    Noise has the standard deviation sqrt(2) bound / epsilon in each sum.
    """
    dp = need("opendp.prelude", "private aggregates", "feedback")
    if not (np.isfinite(bound) and bound > 0):
        raise OptionError(f"bound: got {bound!r}, expected a number > 0")
    table = np.asarray(values, np.float64)
    if table.ndim != 2 or not np.isfinite(table).all():
        raise ProblemError("private_sums: expected a table (people, columns) of finite numbers")
    budget.spend(epsilon, what)
    size = np.abs(table).sum(axis=1)
    clipped = table * np.minimum(1.0, np.divide(bound, size, out=np.ones(len(size)), where=size > 0))[:, None]
    dp.enable_features("contrib")
    noisy = dp.m.make_laplace(
        dp.vector_domain(dp.atom_domain(T=float, nan=False)), dp.l1_distance(T=float), scale=bound / epsilon
    )
    if noisy.map(d_in=bound) > epsilon * (1.0 + 1e-9):
        raise ProblemError("private_sums: OpenDP does not confirm the privacy that was asked for")
    return np.asarray(noisy(clipped.sum(axis=0).tolist()), np.float64)


def private_weights(ballots: pd.DataFrame, rule: str, epsilon: float, budget: PrivacyBudget) -> pd.Series:
    """Weights by an additive rule (mean, quadratic, borda) from noisy sums; see :func:`private_sums`.

    Raises OptionError for the median, which is no sum.
    """
    if rule not in PRIVATE_RULES:
        raise OptionError(f"rule: {rule!r} is not a sum over ballots; with privacy use {', '.join(PRIVATE_RULES)}")
    shares, _ = shares_of(ballots)
    k = shares.shape[1]
    points, bound = {
        "mean": (shares, 1.0),
        "quadratic": (np.sqrt(shares), float(np.sqrt(k))),
        "borda": (borda_points(shares), max(0.5 * k * (k - 1), 1.0)),
    }[rule]
    sums = np.maximum(private_sums(points, bound, epsilon, budget, f"weights by {rule}"), 0.0)
    if not sums.sum() > 0:
        raise ProblemError(
            "private_weights: with so few ballots the noise hides everything; spend more, or ask more people"
        )
    return pd.Series(sums / sums.sum(), ballots.columns, name="weight")
