"""Priorities: ballots over goals (housing, energy, transport, ...) become weights.

A ballot gives points >= 0 to options; only their proportions count, except that an empty ballot counts nowhere.

=============== ===================================================================================================
rule            weight of an option, before all are divided by their sum
=============== ===================================================================================================
``mean``        mean of its shares of each ballot's points
``median``      median of its shares (the lower of two); zero where fewer than half give it anything
``quadratic``   sum over ballots of the square root of its share: strong wishes count, at a rising price
``borda``       sum over ballots of how many options stand below it, half for those level with it
=============== ===================================================================================================

Sources: mean and median of budget proposals: Lindner, Nehring and Puppe, Allocating public goods via the midpoint rule
(2008), and Freeman, Pennock, Peters and Wortman Vaughan, Truthful aggregation of budget proposals, Journal of Economic
Theory 193 (2021); quadratic: Lalley and Weyl, Quadratic voting, AEA Papers and Proceedings 108 (2018); Borda (1781).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from ...errors import OptionError, ProblemError, suggest
from ...solvers.problem import FloatArray


@dataclass(frozen=True)
class Tally:
    """Weights and how they came about.

    Attributes
    ----------
    rule : its name
    weights : Series by option, summing to 1
    audit : by option: ``ballots`` that gave it something, ``score`` by the rule, ``weight``
    counted, empty : ballots that counted and those without points
    root : one hash of all receipts (:func:`receipts`), to publish before the count
    """

    rule: str
    weights: pd.Series
    audit: pd.DataFrame
    counted: int
    empty: int
    root: str

    def to_dict(self, eligible: int | None = None) -> dict[str, Any]:
        """Aggregates for the books of a plan; ``participation`` where it is known how many could have voted."""
        return {
            "rule": self.rule,
            "weights": {str(name): float(value) for name, value in self.weights.items()},
            "counted": self.counted,
            "empty": self.empty,
            "root": self.root,
            "participation": None if eligible is None else (self.counted + self.empty) / eligible,
        }


def _mean(shares: FloatArray) -> FloatArray:
    return np.asarray(shares.mean(axis=0))


def _median(shares: FloatArray) -> FloatArray:
    return np.asarray(np.sort(shares, axis=0)[(len(shares) - 1) // 2])


def _quadratic(shares: FloatArray) -> FloatArray:
    return np.asarray(np.sqrt(shares).sum(axis=0))


def borda_points(shares: FloatArray) -> FloatArray:
    """(voters, options) points of each ballot: options below, and half for those level."""
    below = (shares[:, :, None] > shares[:, None, :]).sum(axis=2)
    level = (shares[:, :, None] == shares[:, None, :]).sum(axis=2) - 1
    return np.asarray(below + 0.5 * level, np.float64)


def _borda(shares: FloatArray) -> FloatArray:
    return np.asarray(borda_points(shares).sum(axis=0))


RULES: dict[str, Callable[[FloatArray], FloatArray]] = {
    "mean": _mean,
    "median": _median,
    "quadratic": _quadratic,
    "borda": _borda,
}


def tally(ballots: pd.DataFrame, rule: str = "mean", *, nonces: pd.Series | None = None) -> Tally:
    """Count ballots (voters x options, points >= 0) by a rule of the module's page.

    nonces : a secret text for each voter, so that receipts cannot be guessed; None: none are used

    Raises OptionError for an unknown rule, ProblemError for a ballot with negative or missing points (the voter is
    named), or if no ballot counts.

    >>> votes = pd.DataFrame({"housing": [3, 1, 0], "energy": [1, 1, 5]}, index=["a", "b", "c"])
    >>> tally(votes, "mean").weights.round(4).to_dict()
    {'housing': 0.4167, 'energy': 0.5833}
    >>> tally(votes, "median").weights.to_dict()
    {'housing': 0.5, 'energy': 0.5}
    """
    if rule not in RULES:
        raise OptionError(f"rule: {rule!r} is unknown{suggest(rule, RULES)}")
    shares, counted = shares_of(ballots)
    scores = RULES[rule](shares)
    if not scores.sum() > 0:
        raise ProblemError(f"ballots: by the rule {rule!r} no option has a weight; people agree on none by half")
    weights = pd.Series(scores / scores.sum(), ballots.columns, name="weight")
    audit = pd.DataFrame(
        {"ballots": (shares > 0).sum(axis=0), "score": scores, "weight": weights.to_numpy()}, ballots.columns
    )
    root = merkle_root(receipts(ballots, nonces))
    return Tally(rule, weights, audit, int(counted.sum()), int((~counted).sum()), root)


def trail(ballots: pd.DataFrame, voter: Any, rule: str = "mean") -> pd.DataFrame:
    """From one ballot to the weights: its shares, the weights with it and without it, by option."""
    if voter not in ballots.index:
        raise ProblemError(f"trail: no ballot of {voter!r}")
    with_it = tally(ballots, rule).weights
    without = tally(ballots.drop(index=voter), rule).weights
    own = ballots.loc[voter].to_numpy(np.float64)
    return pd.DataFrame(
        {
            "share": own / own.sum() if own.sum() > 0 else own,
            "weight": with_it,
            "without": without,
            "moved": with_it - without,
        }
    )


def shares_of(ballots: pd.DataFrame) -> tuple[FloatArray, np.ndarray[Any, np.dtype[np.bool_]]]:
    """(shares of the ballots that count, which these are), checked."""
    points = ballots.to_numpy(np.float64)
    if not points.size:
        raise ProblemError("ballots: there are none")
    bad = ~(np.isfinite(points) & (points >= 0))
    if bad.any():
        i, j = (int(k) for k in np.argwhere(bad)[0])
        raise ProblemError(
            f"ballots: {ballots.index[i]!r} gives {ballots.columns[j]!r} {points[i, j]!r} points, expected >= 0"
        )
    total = points.sum(axis=1)
    counted = total > 0
    if not counted.any():
        raise ProblemError("ballots: all are empty")
    return points[counted] / total[counted, None], counted


def receipts(ballots: pd.DataFrame, nonces: pd.Series | None = None) -> list[str]:
    """SHA-256 of each ballot with its voter's nonce: the voter can find the own one in the published list."""
    secret = [""] * len(ballots) if nonces is None else nonces.reindex(ballots.index).astype(str).tolist()
    rows = ballots.to_numpy(np.float64)
    return [
        hashlib.sha256(
            "|".join(
                [
                    nonce,
                    *(f"{name}={value!r}" for name, value in zip(map(str, ballots.columns), row.tolist(), strict=True)),
                ]
            ).encode()
        ).hexdigest()
        for nonce, row in zip(secret, rows, strict=True)
    ]


def merkle_root(leaves: list[str]) -> str:
    """One hash over sorted receipts: it binds to all of them and shows none (Merkle, Crypto 1987)."""
    level = sorted(leaves)
    while len(level) > 1:
        pairs = [level[k : k + 2] for k in range(0, len(level), 2)]
        level = [hashlib.sha256("".join(pair).encode()).hexdigest() for pair in pairs]
    return level[0] if level else ""


def product_weights(weights: pd.Series, goals: pd.Series) -> pd.Series:
    """Weights of products for an objective, from weights of goals and the goal of each product.

    Each product has the weight of its goal relative to the mean of all goals, so that equal wishes change nothing;
    products without a goal (missing or "") weigh 1. Raises ProblemError for a goal that was not voted on.
    """
    named = goals[goals.notna() & (goals != "")]
    unknown = named[~named.isin(weights.index)]
    if len(unknown):
        raise ProblemError(f"goals: {unknown.iloc[0]!r} was not voted on{suggest(str(unknown.iloc[0]), weights.index)}")
    out = pd.Series(1.0, goals.index, name="weight")
    out[named.index] = named.map(weights * len(weights)).to_numpy(np.float64)
    return out
