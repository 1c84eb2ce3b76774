"""A multi-process filter for very many series at once: each report is steady, an outlier, a step, or a change of slope.

Every series is a local linear trend in units of its reference, y = level + noise, level' = level + slope, and in every
period one of four things may have happened, with these variances in units of the noise:

======== ========= ======================================== =================================================
model    prior     what it adds                             in words
======== ========= ======================================== =================================================
steady   the rest  a little to the level                    as it was
outlier  ``0.01``  100 to the noise                         this report only
step     ``0.003`` 100 to the level                         the level moved and stays there
slope    ``0.003`` 1 to the slope                           it began to rise or fall
======== ========= ======================================== =================================================

Four models a period make sixteen pairs (what happened last time, what happens now); each pair is one Kalman step, its
likelihood weighs it, and pairs with the same present are merged to one Gaussian with their mean and variance. One
report cannot tell a step from an outlier, the next one does: what counts is the probability of what happened *last*
time. The noise of each series is learnt from its steady reports, with a bound on what one report can do.

The state of a series is 30 numbers whatever its history, and a step costs about a microsecond for each.

Source: Harrison and Stevens, Bayesian Forecasting, Journal of the Royal Statistical Society B 38 (1976), section 5;
West and Harrison, Bayesian Forecasting and Dynamic Models (1997), chapter 12. It is the filter of Cyberstride in Chile,
1972 (Medina, Cybernetic Revolutionaries, 2011, chapter 3).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numba
import numpy as np

from ...errors import OptionError
from ...solvers.problem import FloatArray

STEADY, OUTLIER, STEP, SLOPE = range(4)
NAMES = ("steady", "outlier", "step", "slope")
MODELS = 4
# One report may not add more than this to the estimate of the noise, in variances of its forecast.
_MOST_SURPRISE = 9.0
# How many reports the prior of the noise is worth.
_PRIOR = 3.0


@dataclass(frozen=True, kw_only=True)
class FilterOptions:
    """What the filter expects before it has seen anything.

    outlier, step, slope : prior probability of each, per period
    outlier_size, step_size, slope_size : standard deviations, in those of the noise; of a slope per period
    drift : standard deviation by which a steady level moves in a period, in that of the noise
    noise : standard deviation of reports before any was seen, relative to the reference
    memory : reports over which the noise is averaged
    """

    outlier: float = 0.01
    step: float = 0.003
    slope: float = 0.003
    outlier_size: float = 10.0
    step_size: float = 10.0
    slope_size: float = 1.0
    drift: float = 0.05
    noise: float = 0.05
    memory: float = 100.0

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not (np.isfinite(value) and value > 0):
                raise OptionError(f"{name}: got {value!r}, expected a number > 0")
        if not self.outlier + self.step + self.slope < 0.5:
            raise OptionError("outlier, step, slope: together they must be rarer than what is steady")

    def table(self) -> FloatArray:
        """(4, 4): for each model the logarithm of its prior and the variances it adds to noise, level and slope."""
        steady = 1.0 - self.outlier - self.step - self.slope
        level = self.drift**2
        return np.array(
            [
                [math.log(steady), 1.0, level, 0.0],
                [math.log(self.outlier), 1.0 + self.outlier_size**2, level, 0.0],
                [math.log(self.step), 1.0, level + self.step_size**2, 0.0],
                [math.log(self.slope), 1.0, level, self.slope_size**2],
            ]
        )


@dataclass
class FilterState:
    """What is known of n series after the reports so far; arrays are changed in place by :func:`advance`.

    mean (n, 4, 2), spread (n, 4, 3): level and slope by model, and their covariance (level, both, slope), relative to
    the reference; weight (n, 4): probability of each model; noise (n, 2): sum of squares and number behind the
    variance; seen (n,): reports used.
    """

    mean: FloatArray
    spread: FloatArray
    weight: FloatArray
    noise: FloatArray
    seen: np.ndarray[Any, np.dtype[np.int64]]

    @classmethod
    def new(cls, series: int, options: FilterOptions) -> FilterState:
        """Levels about the reference, within half of it; no slope."""
        mean = np.zeros((series, MODELS, 2))
        mean[:, :, 0] = 1.0
        spread = np.zeros((series, MODELS, 3))
        spread[:, :, 0], spread[:, :, 2] = 0.25, (0.1 * options.noise) ** 2
        weight = np.zeros((series, MODELS))
        weight[:, STEADY] = 1.0
        noise = np.tile([_PRIOR * options.noise**2, _PRIOR], (series, 1))
        return cls(mean, spread, weight, noise, np.zeros(series, np.int64))

    def level(self) -> FloatArray:
        """(n,) expected level, relative to the reference."""
        return np.asarray(np.einsum("nk,nk->n", self.weight, self.mean[:, :, 0]))

    def slope(self) -> FloatArray:
        """(n,) expected slope per period, relative to the reference."""
        return np.asarray(np.einsum("nk,nk->n", self.weight, self.mean[:, :, 1]))

    def deviation(self) -> FloatArray:
        """(n,) standard deviation of the noise, relative to the reference."""
        return np.sqrt(self.noise[:, 0] / self.noise[:, 1])

    def forecast(self) -> tuple[FloatArray, FloatArray]:
        """(mean, standard deviation) of the next report, were it steady; (n,) each."""
        mean = self.level() + self.slope()
        spread = self.spread[:, :, 0] + 2.0 * self.spread[:, :, 1] + self.spread[:, :, 2]
        within = np.einsum("nk,nk->n", self.weight, spread + (self.mean.sum(axis=2) - mean[:, None]) ** 2)
        return mean, np.sqrt(within + self.noise[:, 0] / self.noise[:, 1])


def advance(state: FilterState, reports: FloatArray, options: FilterOptions) -> tuple[FloatArray, FloatArray]:
    """One period: ``reports`` (n,) relative to the reference, NaN where there is none.

    Returns (n, 4) the probability that each thing happened *last* period, and (n,) the probability that the level now
    falls, or rises, by more than a fifth of the noise a period, whichever is larger. Series without a report keep their
    state, a little less certain, and have probabilities of zero.

    >>> options = FilterOptions()
    >>> state = FilterState.new(1, options)
    >>> for y in [1.0, 1.02, 0.98, 1.0, 1.01, 0.99] * 5 + [0.5, 0.5]:
    ...     happened, _ = advance(state, np.array([y]), options)
    >>> NAMES[int(happened[0].argmax())], round(float(state.level()[0]), 2)
    ('step', 0.5)
    """
    happened, trend = np.zeros((len(reports), MODELS)), np.zeros(len(reports))
    keep = 1.0 - 1.0 / options.memory
    _advance(state.mean, state.spread, state.weight, state.noise, state.seen, np.ascontiguousarray(reports, np.float64),
             options.table(), keep, happened, trend)  # fmt: skip
    return happened, trend


@numba.njit(cache=True, parallel=True)  # type: ignore[untyped-decorator, unused-ignore]
def _advance(
    mean: Any, spread: Any, weight: Any, noise: Any, seen: Any, reports: Any, table: Any, keep: float, happened: Any,
    trend: Any,
) -> None:  # fmt: skip
    for i in numba.prange(len(reports)):
        variance, y = noise[i, 0] / noise[i, 1], reports[i]
        if not math.isfinite(y):
            for k in range(4):
                mean[i, k, 0] += mean[i, k, 1]
                a, b, c = spread[i, k]
                spread[i, k, 0] = a + 2.0 * b + c + variance * table[0, 2]
                spread[i, k, 1] = b + c
            continue
        m, s, p = np.empty((4, 4, 2)), np.empty((4, 4, 3)), np.empty((4, 4))
        surprise = _pairs(mean[i], spread[i], weight[i], variance, y, table, m, s, p)
        noise[i, 0] = keep * noise[i, 0] + p[0, 0] * variance * min(surprise, _MOST_SURPRISE)
        noise[i, 1] = keep * noise[i, 1] + p[0, 0]
        seen[i] += 1
        for k in range(4):
            happened[i, k] = p[k].sum()
        _merge(mean[i], spread[i], weight[i], m, s, p)
        trend[i] = _sloping(mean[i], spread[i], weight[i], 0.2 * math.sqrt(variance))


@numba.njit(cache=True)  # type: ignore[untyped-decorator, unused-ignore]
def _pairs(mean: Any, spread: Any, weight: Any, variance: float, y: float, table: Any, m: Any, s: Any, p: Any) -> float:
    """The sixteen Kalman steps of one series; returns the squared surprise of the steady one."""
    surprise = 0.0
    for k in range(4):
        level, slope = mean[k, 0] + mean[k, 1], mean[k, 1]
        a, b, c = spread[k, 0] + 2.0 * spread[k, 1] + spread[k, 2], spread[k, 1] + spread[k, 2], spread[k, 2]
        for j in range(4):
            moved = variance * table[j, 3]
            r11, r12, r22 = a + variance * table[j, 2] + moved, b + moved, c + moved
            total, error = r11 + variance * table[j, 1], y - level
            g1, g2 = r11 / total, r12 / total
            m[k, j, 0], m[k, j, 1] = level + g1 * error, slope + g2 * error
            s[k, j, 0], s[k, j, 1], s[k, j, 2] = r11 - g1 * r11, r12 - g1 * r12, r22 - g2 * r12
            if k == 0 and j == 0:
                surprise = error * error / total
            p[k, j] = table[j, 0] - 0.5 * (math.log(total) + error * error / total)
            p[k, j] += math.log(weight[k]) if weight[k] > 1e-300 else -700.0
    highest, whole = p.max(), 0.0
    for k in range(4):
        for j in range(4):
            p[k, j] = math.exp(p[k, j] - highest)
            whole += p[k, j]
    p /= whole
    return surprise


@numba.njit(cache=True)  # type: ignore[untyped-decorator, unused-ignore]
def _merge(mean: Any, spread: Any, weight: Any, m: Any, s: Any, p: Any) -> None:
    """Pairs with the same present become one Gaussian with their mean and covariance."""
    for j in range(4):
        whole = p[0, j] + p[1, j] + p[2, j] + p[3, j]
        weight[j] = whole
        level = slope = 0.0
        for k in range(4):
            q = p[k, j] / whole if whole > 0.0 else 0.25
            level, slope = level + q * m[k, j, 0], slope + q * m[k, j, 1]
        a = b = c = 0.0
        for k in range(4):
            q = p[k, j] / whole if whole > 0.0 else 0.25
            d1, d2 = m[k, j, 0] - level, m[k, j, 1] - slope
            a, b, c = a + q * (s[k, j, 0] + d1 * d1), b + q * (s[k, j, 1] + d1 * d2), c + q * (s[k, j, 2] + d2 * d2)
        mean[j, 0], mean[j, 1] = level, slope
        spread[j, 0], spread[j, 1], spread[j, 2] = a, b, c


@numba.njit(cache=True)  # type: ignore[untyped-decorator, unused-ignore]
def _sloping(mean: Any, spread: Any, weight: Any, least: float) -> float:
    """The larger of the probabilities that the slope is below -least and above it."""
    falls = rises = 0.0
    for j in range(4):
        deviation = math.sqrt(max(spread[j, 2], 1e-300)) * math.sqrt(2.0)
        falls += weight[j] * 0.5 * math.erfc((least + mean[j, 1]) / deviation)
        rises += weight[j] * 0.5 * math.erfc((least - mean[j, 1]) / deviation)
    return max(falls, rises)
