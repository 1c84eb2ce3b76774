"""Strategic voting, simulated: how many voters could gain by another ballot than their honest one, and how much."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ...solvers.problem import FloatArray
from .priorities import RULES, shares_of

_GAIN = 1e-9


def strategic_voting(ballots: pd.DataFrame, *, voters: int = 200, tries: int = 50, seed: int = 0) -> pd.DataFrame:
    """For each rule: the share of voters who gain by some dishonest ballot, all others being honest.

    A voter's loss is the sum of absolute differences between the weights and the own honest shares. Tried are: all
    points to one option, each option in turn; the honest shares stretched away from the honest outcome, to several
    degrees; and random ballots. What is found is a lower bound on what can be gained.

    Returns a DataFrame by rule: ``can_gain`` (share of the sampled voters), ``mean_gain`` of those (in loss), ``moved``
    (mean change of the weights that they cause, summed over options).

    Source: the three rules' properties are in Freeman, Pennock, Peters and Wortman Vaughan (2021): medians of each
    option cannot be gained from one option at a time, means can, and dividing by the sum gives a little back.
    """
    shares, _ = shares_of(ballots)
    rng = np.random.default_rng(seed)
    sampled = rng.choice(len(shares), min(voters, len(shares)), replace=False)
    rows = []
    for rule in RULES:
        gains, moves = [], []
        honest = _outcome(rule, shares)
        for i in sampled.tolist():
            loss = float(np.abs(honest - shares[i]).sum())
            others, best, moved = shares.copy(), loss, 0.0
            for ballot in _ballots(shares[i], honest, tries, rng):
                others[i] = ballot
                new = _outcome(rule, others)
                after = float(np.abs(new - shares[i]).sum())
                if after < best:
                    best, moved = after, float(np.abs(new - honest).sum())
            if loss - best > _GAIN:
                gains.append(loss - best)
                moves.append(moved)
        rows.append(
            (
                len(gains) / len(sampled),
                float(np.mean(gains)) if gains else 0.0,
                float(np.mean(moves)) if moves else 0.0,
            )
        )
    return pd.DataFrame(rows, pd.Index(list(RULES), name="rule"), ["can_gain", "mean_gain", "moved"])


def _outcome(rule: str, shares: FloatArray) -> FloatArray:
    scores = RULES[rule](shares)
    return scores / scores.sum() if scores.sum() > 0 else np.full(len(scores), 1.0 / len(scores))


def _ballots(own: FloatArray, outcome: FloatArray, tries: int, rng: np.random.Generator) -> list[FloatArray]:
    found = list(np.eye(len(own)))
    for factor in (0.5, 1.0, 2.0, 5.0, 20.0):
        stretched = np.maximum(own + factor * (own - outcome), 0.0)
        if stretched.sum() > 0:
            found.append(stretched / stretched.sum())
    return [*found, *rng.dirichlet(np.ones(len(own)), tries)]
