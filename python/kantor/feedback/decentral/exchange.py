"""The procedure: a board announces prices and by how much proposals miss each other; agents answer with net trade.

Every agent a keeps its aims and means f_a to itself and proposes z_a (n,), what it would deliver (> 0) and take (< 0)
of each product. The proposals must add up to zero. In a round the board announces one vector, the signal
``m = mean + u`` (the mean of each product over those who deal in it), each agent answers with the z that is best for it
at the prices implied and not far from what it proposed,

    z_a' = argmin f_a(z) + rho/2 |z - (z_a - m)|^2,        u' = u + mean of z',        prices = -rho u',

so a price rises where less is offered than taken, which is the rule of an iteration facilitation board. It is the
alternating direction method of multipliers on the exchange problem, and converges for convex aims without any of them
being smooth or strictly convex. Source: Boyd, Parikh, Chu, Peleato and Eckstein, Distributed Optimization and
Statistical Learning via ADMM (2011), section 7.3.2; Albert and Hahnel, The Political Economy of Participatory
Economics (1991), for the board and the councils.

Nothing else crosses: :class:`Channel` lets vectors of n numbers pass, one signal out and one proposal in for each
group, and counts them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from ...errors import OptionError, ProblemError
from ...solvers.problem import FloatArray


class Agents(Protocol):
    """A group of agents that answer together; what they know stays inside."""

    count: int
    concerned: FloatArray  # (n,) how many of them deal in each product: public, as who is a baker is

    def propose(self, signal: FloatArray, rho: float) -> FloatArray:
        """The sum of their proposals (n,) after hearing the signal (n,)."""

    def moved(self) -> float:
        """Square of the change of all their proposals in the last round."""


@dataclass
class Channel:
    """What passes between the board and a group: vectors of n numbers, counted; anything else is refused."""

    size: int
    messages: int = 0

    def pass_on(self, vector: FloatArray) -> FloatArray:
        """A copy of the vector, so that not even memory is shared."""
        if type(vector) is not np.ndarray or vector.dtype != np.float64 or vector.shape != (self.size,):
            raise ProblemError(f"channel: only {self.size} numbers may cross, got {type(vector).__name__}")
        if not np.isfinite(vector).all():
            raise ProblemError("channel: a message holds numbers that are not finite")
        self.messages += 1
        return vector.copy()


@dataclass
class Agreement:
    """What the rounds ended with.

    prices : (n,) indicative prices, objective per unit
    excess : (n,) sum of all proposals, zero in agreement
    rounds, messages : how many of each; a message is n numbers
    converged : whether both residuals are within the tolerance
    history : by round: primal (largest excess, relative), dual (change of proposals) residual, rho
    """

    prices: FloatArray
    excess: FloatArray
    rounds: int
    messages: int
    converged: bool
    history: list[dict[str, float]] = field(default_factory=list)


def agree(
    groups: Sequence[Agents],
    size: FloatArray,
    *,
    rho: float = 1.0,
    tolerance: float = 1e-5,
    most_rounds: int = 2000,
) -> Agreement:
    """Rounds until proposals match and stand still.

    size : (n,) usual amount of each product, > 0, in which all is measured, so that units do not matter
    rho : first weight of agreement against own aims; it adapts until both go equally fast, and then stands
    tolerance : excess of each product relative to its size, and movement of proposals, root mean square

    Raises ProblemError if a group sends anything but n finite numbers.
    """
    if not (np.isfinite(size).all() and (size > 0).all()):
        raise OptionError("size: expected the usual amount of each product, > 0")
    if not (np.isfinite(rho) and rho > 0 and 0 < tolerance < 1):
        raise OptionError("rho and tolerance: expected numbers > 0, tolerance below 1")
    n = len(size)
    concerned = np.maximum(np.sum([group.concerned for group in groups], axis=0), 1.0)
    channels = [Channel(n) for _ in groups]
    u, signal = np.zeros(n), np.zeros(n)
    history: list[dict[str, float]] = []
    total, rounds, done = np.zeros(n), 0, False
    for rounds in range(1, most_rounds + 1):
        total = np.zeros(n)
        for group, channel in zip(groups, channels, strict=True):
            heard = channel.pass_on(signal)
            total += channel.pass_on(group.propose(heard, rho))
        mean = total / concerned
        u += mean
        # Residuals in the units of the whole economy: an excess of 1 is all of a product.
        primal = float(np.sqrt(np.mean(total**2)))
        dual = float(np.sqrt(sum(group.moved() for group in groups) * concerned.mean() / n))
        history.append({"round": rounds, "primal": primal, "dual": dual, "rho": rho})
        done = primal <= tolerance and dual <= tolerance
        if done:
            break
        change = _balance(primal, dual, rounds)
        rho, u = rho * change, u / change
        signal = mean + u
    return Agreement(-rho * u / size, total * size, rounds, sum(c.messages for c in channels), done, history)


def _balance(primal: float, dual: float, rounds: int) -> float:
    """By how much rho changes, so that neither residual lags: rarely, and not for ever, so that the rounds converge."""
    if rounds % 10 or rounds > 1000:
        return 1.0
    if primal > 5.0 * dual:
        return 2.0
    return 0.5 if dual > 5.0 * primal else 1.0
