"""Reports that are not believed: set aside with a reason, never used and never dropped in silence.

================= ====================================================================================================
reason            what is wrong with the report
================= ====================================================================================================
``unknown``       no such series is monitored
``unreadable``    the value is missing, no number, or infinite
``negative``      below zero, for a quantity that cannot be
``late``          about a period that is over
``early``         about a period that has not begun
``duplicate``     the same report once more; the first one counts
``conflict``      several different values for one series and period; none counts
``unit``          states another unit than the series has
``scale``         fits the forecast if multiplied by a power of ten: it is in another unit, whatever it states
``zero``          nothing at all, where the forecast is far from it: an idle plant and a withheld report look alike, so
                  someone has to say which
``missing``       no report that could be used came in this period
================= ====================================================================================================

A report set aside as ``scale`` or ``zero`` can be confirmed (:meth:`kantor.Monitor.confirm`); then it counts.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from ...solvers.problem import FloatArray

REASONS = (
    "unknown", "unreadable", "negative", "late", "early", "duplicate", "conflict", "unit", "scale", "zero", "missing",
)  # fmt: skip
COLUMNS = ["period", "series", "reported_period", "value", "unit", "reason", "expected"]
# How far off the forecast, in its standard deviations, a report must be before it is taken for another unit or a zero.
_FAR = 8.0
# Powers of ten by which units differ: thousands and millions, tens and hundreds, and their inverses.
_POWERS = np.array([-9.0, -6.0, -3.0, -2.0, -1.0, 1.0, 2.0, 3.0, 6.0, 9.0])
# How near to the forecast the rescaled report must be: within this factor.
_NEAR = 1.25


def sift(
    reports: pd.DataFrame,
    period: int,
    series: pd.Index,
    units: np.ndarray[Any, Any] | None,
    forecast: tuple[FloatArray, FloatArray],
    known: np.ndarray[Any, np.dtype[np.bool_]],
    signed: np.ndarray[Any, np.dtype[np.bool_]],
) -> tuple[FloatArray, pd.DataFrame]:
    """Reports of one period -> (values by series, NaN without one; what was set aside and why).

    reports : columns series, value, and if given period and unit
    forecast : (mean, standard deviation) of each series, in its unit
    known : whether enough was seen of a series to judge by its forecast; signed : whether it may be negative
    """
    n = len(reports)
    at = np.asarray(series.get_indexer(pd.Index(reports["series"])))
    given = pd.to_numeric(reports["value"], errors="coerce").to_numpy(np.float64)
    when = _periods(reports, period)
    reason = np.full(n, "", dtype=object)

    def mark(where: Any, word: str) -> None:
        reason[where & (reason == "")] = word

    inside = np.maximum(at, 0)
    mark(at < 0, "unknown")
    mark(~np.isfinite(given), "unreadable")
    mark(when < period, "late")
    mark(when > period, "early")
    mark(~np.isfinite(when), "unreadable")
    mark((given < 0) & ~signed[inside], "negative")
    if units is not None and "unit" in reports:
        stated = reports["unit"].fillna("").astype(str).to_numpy(object)
        mark((stated != "") & (stated != units[inside]), "unit")
    _duplicates(at, given, reason)
    mean, deviation = forecast[0][inside], forecast[1][inside]
    far = known[inside] & (np.abs(given - mean) > _FAR * deviation)
    mark(far & (given == 0.0) & ~signed[inside], "zero")
    mark(far & _rescaled(given, mean), "scale")
    values = np.full(len(series), np.nan)
    kept = reason == ""
    values[at[kept]] = given[kept]
    aside = pd.DataFrame(
        {
            "period": period,
            "series": reports["series"].to_numpy(object),
            "reported_period": when,
            "value": reports["value"].to_numpy(object),
            "unit": reports["unit"].to_numpy(object) if "unit" in reports else None,
            "reason": reason,
            "expected": np.where(at >= 0, mean, np.nan),
        },
        columns=COLUMNS,
    )[~kept]
    return values, aside.reset_index(drop=True)


def missing(period: int, series: pd.Index, values: FloatArray, expected: FloatArray) -> pd.DataFrame:
    """An entry for every series without a report that could be used."""
    at = np.flatnonzero(np.isnan(values))
    return pd.DataFrame(
        {
            "period": period,
            "series": series[at].to_numpy(object),
            "reported_period": float(period),
            "value": None,
            "unit": None,
            "reason": "missing",
            "expected": expected[at],
        },
        columns=COLUMNS,
    )


def _periods(reports: pd.DataFrame, period: int) -> FloatArray:
    if "period" not in reports:
        return np.full(len(reports), float(period))
    return pd.to_numeric(reports["period"], errors="coerce").to_numpy(np.float64)


def _duplicates(at: np.ndarray[Any, Any], given: FloatArray, reason: np.ndarray[Any, Any]) -> None:
    """Among reports that are otherwise right: one repeated counts once, contradicting ones not at all."""
    fine = np.flatnonzero(reason == "")
    if not fine.size:
        return
    table = pd.DataFrame({"at": at[fine], "value": given[fine]})
    by = table.groupby("at")["value"]
    conflict = (by.transform("max") != by.transform("min")).to_numpy()
    repeated = table.duplicated("at").to_numpy()
    reason[fine[conflict]] = "conflict"
    reason[fine[repeated & ~conflict]] = "duplicate"


def _rescaled(given: FloatArray, mean: FloatArray) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """Whether a power of ten takes a report to within a quarter of its forecast."""
    with np.errstate(divide="ignore", invalid="ignore"):
        digits = np.log10(given / mean)
    off = np.abs(digits[:, None] - _POWERS).min(axis=1, initial=np.inf)
    return np.isfinite(digits) & (off <= np.log10(_NEAR))
