"""Forecasts of many series with intervals, back-tested from rolling origins against naive ones.

``trend`` is Holt's method with a damped trend, ``seasonal`` adds multiplicative seasons (Holt and Winters), both as
exponential smoothing of all series at once: each series takes the smoothing constants, of a grid, that predicted its
own past best. ``auto`` takes for each series the smoothing if that predicted its own past clearly better than naive
(seasonal naive with seasons), else naive. ``ets`` is the automatic exponential smoothing of the package statsforecast,
which chooses among more forms: better for some hundreds of series, too slow for the hundred thousand of a plan.

Sources: Gardner and McKenzie, Forecasting trends in time series, Management Science 31 (1985); Hyndman and Koehler,
Another look at measures of forecast accuracy, International Journal of Forecasting 22 (2006), for MASE.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
import pandas as pd
from scipy.special import ndtri

from ..errors import OptionError, ProblemError, need, suggest
from ..solvers.problem import FloatArray

METHODS = ("naive", "seasonal-naive", "trend", "seasonal", "auto", "ets")
_LEVELS, _TRENDS, _SEASONS, _DAMPING = (0.1, 0.3, 0.6, 0.9), (0.02, 0.1, 0.3), (0.05, 0.2), 0.95
_SMALL = 1e-12
_STILL = 1e-6  # series that move by less, relative to their size, say nothing about methods
_CLEARLY = 0.7  # of the squared errors of naive
_USUAL = ("naive", "seasonal-naive", "trend", "seasonal", "auto")


@dataclass(frozen=True)
class Forecast:
    """Point forecasts (series, horizon), and lower and upper ends of intervals with the stated coverage."""

    point: FloatArray
    lower: FloatArray
    upper: FloatArray
    coverage: float

    def at_risk(self, share: float) -> FloatArray:
        """(series, horizon) the demand that is exceeded with probability ``share`` only.

        As a target it makes a plan suffice with probability 1 - share for each product (Charnes and Cooper,
        Chance-constrained programming, Management Science 6, 1959).
        """
        if not 0 < share < 1:
            raise OptionError(f"share: got {share!r}, expected a probability in (0, 1)")
        deviation = (self.upper - self.point) / ndtri(0.5 + 0.5 * self.coverage)
        return np.maximum(self.point + ndtri(1.0 - share) * deviation, 0.0)


def forecast(
    history: FloatArray, horizon: int, method: str = "trend", season: int = 1, coverage: float = 0.9
) -> Forecast:
    """Forecast series (n, periods) with no gaps; ``season`` periods make a cycle.

    Intervals are normal, with the errors of each series' own one-step forecasts, growing as those of a random walk; the
    back-test says how often they hold.

    >>> found = forecast(np.array([[10.0, 11.0, 12.0, 13.0, 14.0, 15.0]]), 2)
    >>> bool((found.point[0] > [15.5, 16.2]).all() and (found.lower <= found.point).all())
    True
    """
    y = np.asarray(history, np.float64)
    if y.ndim != 2 or not np.isfinite(y).all():
        raise ProblemError("history: expected a table (series, periods) of finite numbers")
    if method not in METHODS:
        raise OptionError(f"method: {method!r} is unknown{suggest(method, METHODS)}")
    if horizon < 1 or season < 1 or not 0 < coverage < 1:
        raise OptionError("horizon and season: at least 1; coverage: a probability in (0, 1)")
    if y.shape[1] < max(3, 2 * season):
        raise ProblemError(f"history: {y.shape[1]} periods, expected at least {max(3, 2 * season)}")
    lag = season if method == "seasonal-naive" else 1
    if method in ("naive", "seasonal-naive"):
        last = y[:, -lag:]
        point = np.column_stack([last[:, k % lag] for k in range(horizon)])
        errors = y[:, lag:] - y[:, :-lag]
        steps = np.ceil(np.arange(1, horizon + 1) / lag)
    elif method == "auto":
        return _either(y, horizon, season, coverage)
    elif method == "ets":
        return _ets(y, horizon, season, coverage)
    else:
        point, errors = _smoothed(y, horizon, season if method == "seasonal" else 1)
        steps = np.arange(1.0, horizon + 1)
    deviation = np.sqrt(np.mean(errors**2, axis=1))[:, None] * np.sqrt(steps)
    z = ndtri(0.5 + 0.5 * coverage)
    return Forecast(point, point - z * deviation, point + z * deviation, coverage)


def _either(y: FloatArray, horizon: int, season: int, coverage: float) -> Forecast:
    """Smoothing where its last one-step errors are clearly smaller than those of naive, else naive."""
    lag = season if season > 1 else 1
    plain = forecast(y, horizon, "seasonal-naive" if season > 1 else "naive", season, coverage)
    point, errors = _smoothed(y, horizon, season)
    last = max(4, errors.shape[1] // 2)
    usual = np.mean((y[:, lag:] - y[:, :-lag])[:, -last:] ** 2, axis=1)
    better = (np.mean(errors[:, -last:] ** 2, axis=1) < _CLEARLY * usual)[:, None]
    deviation = np.sqrt(np.mean(errors**2, axis=1))[:, None] * np.sqrt(np.arange(1.0, horizon + 1))
    z = ndtri(0.5 + 0.5 * coverage)
    lower = np.where(better, point - z * deviation, plain.lower)
    upper = np.where(better, point + z * deviation, plain.upper)
    return Forecast(np.where(better, point, plain.point), lower, upper, coverage)


def _ets(y: FloatArray, horizon: int, season: int, coverage: float) -> Forecast:
    """statsforecast, series by series; its intervals are simulated or analytic by the form chosen."""
    models = need("statsforecast.models", "forecasts by ets", "forecast")
    level = 100.0 * coverage
    model, parts = models.AutoETS(season_length=season), []
    for row in y:
        found = model.forecast(y=row, h=horizon, level=[level])
        low, high = (next(found[key] for key in found if key.startswith(side)) for side in ("lo", "hi"))
        parts.append((found["mean"], low, high))
    point, lower, upper = (np.array([part[k] for part in parts], np.float64) for k in range(3))
    return Forecast(point, lower, upper, coverage)


def _smoothed(y: FloatArray, horizon: int, season: int) -> tuple[FloatArray, FloatArray]:
    """Point forecasts and one-step errors with each series' best constants."""
    best = np.full(len(y), np.inf)
    known = y.shape[1] - season * _cycles(y.shape[1], season)
    point, errors = np.zeros((len(y), horizon)), np.zeros((len(y), known))
    for a, b, g in product(_LEVELS, _TRENDS, _SEASONS if season > 1 else (0.0,)):
        ahead, miss = _holt(y, horizon, season, a, b, g)
        score = np.mean(miss[:, len(miss[0]) // 4 :] ** 2, axis=1)
        better = score < best
        best = np.where(better, score, best)
        point[better], errors[better] = ahead[better], miss[better]
    return point, errors


def _cycles(periods: int, season: int) -> int:
    """How many whole seasons the first level and seasons are taken from; two at least stay to learn the constants."""
    return 1 if season == 1 else max(1, min(3, periods // season - 2))


def _holt(y: FloatArray, horizon: int, season: int, a: float, b: float, g: float) -> tuple[FloatArray, FloatArray]:
    """Damped trend with multiplicative seasons, from constants of level, trend and season."""
    begin = season * _cycles(y.shape[1], season)
    cycles = y[:, :begin].reshape(len(y), -1, season)
    means = cycles.mean(axis=2)
    level, size = means[:, -1], np.maximum(np.abs(means).max(axis=1), _SMALL)
    still = np.abs(means) <= _SMALL * size[:, None]
    shape = np.where(still[:, :, None], 1.0, cycles / np.where(still, 1.0, means)[:, :, None]).mean(axis=1)
    factors = list(shape.T)
    trend = np.zeros(len(y))
    if means.shape[1] > 1:
        trend = (means[:, -1] - means[:, 0]) / (season * (means.shape[1] - 1))
    elif season > 1:
        trend = (y[:, season : 2 * season].mean(axis=1) - level) / season
    misses = []
    for t in range(begin, y.shape[1]):
        old, k = level, t % season
        expected = level + _DAMPING * trend
        ahead = expected * factors[k]
        misses.append(y[:, t] - ahead)
        factor = np.where(np.abs(factors[k]) > _SMALL, factors[k], 1.0)
        level = a * (y[:, t] / factor) + (1.0 - a) * expected
        trend = b * (level - old) + (1.0 - b) * _DAMPING * trend
        if season > 1:
            shown = np.where(np.abs(level) > 1e-9 * size, y[:, t] / np.where(level == 0, 1.0, level), factors[k])
            factors[k] = g * shown + (1.0 - g) * factors[k]
    damped = np.cumsum(_DAMPING ** np.arange(1, horizon + 1))
    steps = [(level + damped[h] * trend) * factors[(y.shape[1] + h) % season] for h in range(horizon)]
    return np.column_stack(steps), np.column_stack(misses)


def backtest(
    history: FloatArray,
    horizon: int,
    season: int = 1,
    origins: int = 5,
    coverage: float = 0.9,
    methods: Sequence[str] | None = None,
) -> pd.DataFrame:
    """Every method from rolling origins: the last ``origins`` periods from which ``horizon`` are still known.

    Returns a DataFrame by method: ``mase``, mean absolute error over that of the (seasonal) naive method's one-step
    errors in the past before each origin, mean over series that moved; ``relative``: mean absolute error over that of
    seasonal-naive (naive without seasons) on the same periods; ``covered``: how often the intervals held. ``methods``:
    which; naive must be among them, with seasons seasonal-naive too.
    """
    y = np.asarray(history, np.float64)
    last = y.shape[1] - horizon
    if last - origins < max(3, 2 * season):
        raise ProblemError(f"backtest: {y.shape[1]} periods are too few for {origins} origins and {horizon} ahead")
    names = tuple(methods) if methods is not None else _USUAL if season > 1 else ("naive", "trend", "auto")
    mase: dict[str, list[float]] = {name: [] for name in names}
    error: dict[str, list[float]] = {name: [] for name in names}
    held: dict[str, list[float]] = {name: [] for name in names}
    for origin in range(last - origins + 1, last + 1):
        past, future = y[:, :origin], y[:, origin : origin + horizon]
        usual = np.mean(np.abs(past[:, season:] - past[:, :-season]), axis=1)
        moved = usual > _STILL * np.maximum(np.abs(past).max(axis=1), _SMALL)
        for name in names:
            found = forecast(past, horizon, name, season, coverage)
            miss = np.mean(np.abs(found.point - future), axis=1)
            mase[name].append(float(np.mean(miss[moved] / usual[moved])))
            error[name].append(float(np.mean(miss[moved] / np.abs(future).mean(axis=1)[moved].clip(_SMALL))))
            held[name].append(float(np.mean((future >= found.lower) & (future <= found.upper))))
    base = "seasonal-naive" if season > 1 else "naive"
    rows = [(np.mean(mase[k]), np.mean(error[k]) / np.mean(error[base]), np.mean(held[k])) for k in names]
    return pd.DataFrame(rows, pd.Index(names, name="method"), ["mase", "relative", "covered"])
