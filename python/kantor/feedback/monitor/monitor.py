"""Monitor: reports in, period by period; indices, alerts and what was set aside out. Memory does not grow with time."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import numpy as np
import pandas as pd

from ...atomic import new_folder, refuse_foreign
from ...data.labels import aligned, as_index
from ...errors import OptionError, ProblemError, suggest
from ...solvers.problem import FloatArray
from .alerts import KINDS, LEVELS, Alerts, Level
from .filter import OUTLIER, SLOPE, STEP, FilterOptions, FilterState, advance
from .quarantine import missing, sift

FILES = ("monitor.json", "state.npz", "series.parquet")
_STATE = ("mean", "spread", "weight", "noise", "seen")
_ALERTS = ("kind", "level", "since", "due", "probability")


@dataclass(frozen=True, kw_only=True)
class MonitorOptions:
    """When to speak.

    outlier, step, slope, change : probability above which each is an alert; ``change`` is step or slope together,
        where neither alone is certain; ``slope`` is that the level falls, or rises, by a fifth of the noise a period
    silent : periods in a row without a usable report after which silence is an alert
    learn : reports of a series before its forecasts are trusted, for alerts and for setting reports aside
    filter : :class:`kantor.feedback.monitor.filter.FilterOptions`
    """

    outlier: float = 0.95
    step: float = 0.8
    slope: float = 0.95
    change: float = 0.9
    silent: int = 2
    learn: int = 20
    filter: FilterOptions = field(default_factory=FilterOptions)

    def __post_init__(self) -> None:
        for name in ("outlier", "step", "slope", "change"):
            if not 0 < getattr(self, name) < 1:
                raise OptionError(f"{name}: got {getattr(self, name)!r}, expected a probability in (0, 1)")
        for name in ("silent", "learn"):
            if getattr(self, name) < 1:
                raise OptionError(f"{name}: got {getattr(self, name)!r}, expected at least 1")


@dataclass(frozen=True)
class Step:
    """One period: events of alerts, reports set aside, and how many reports were used."""

    period: int
    alerts: pd.DataFrame
    quarantined: pd.DataFrame
    used: int


class Monitor:
    """Follows n series of reports.

    Parameters
    ----------
    series : labels (n,)
    capability : what each can do now with what it has, > 0, in its unit; the reference of the filter
    potential : what it could do with its constraints removed, >= capability; None: the capability
    unit : of all series, or one for each; reports that state another are set aside
    signed : series that may be negative; None: none
    levels : who is told and how long they have (:mod:`kantor.feedback.monitor.alerts`)
    options : :class:`MonitorOptions`
    ledger : file to which every report set aside is appended as CSV; None: only the counts are kept

    >>> monitor = Monitor(["mill", "mine"], capability=[100.0, 50.0])
    >>> step = monitor.step(1, pd.DataFrame({"series": ["mill", "mine", "mine"], "value": [90.0, -5.0, "?"]}))
    >>> step.quarantined[["series", "reason"]].values.tolist()
    [['mine', 'negative'], ['mine', 'unreadable'], ['mine', 'missing']]
    >>> round(float(monitor.indices().loc["mill", "productivity"]), 2)
    0.9
    """

    def __init__(
        self,
        series: Any,
        capability: Any,
        potential: Any = None,
        unit: Any = None,
        signed: Iterable[Any] | None = None,
        levels: Sequence[Level] = LEVELS,
        options: MonitorOptions | None = None,
        ledger: str | Path | None = None,
    ) -> None:
        self.series = as_index(series, "series")
        n = len(self.series)
        self.capability = _positive(capability, self.series, "capability")
        self.potential = self.capability if potential is None else _positive(potential, self.series, "potential")
        low = np.flatnonzero(self.potential < self.capability)
        if low.size:
            raise ProblemError(f"potential: that of {self.series[low[0]]!r} is below its capability")
        self.units = None
        if unit is not None:
            given = [unit] * n if isinstance(unit, str) else list(unit)
            self.units = np.array(given, dtype=object)
            if self.units.shape != (n,):
                raise ProblemError(f"unit: got {len(given)}, expected one for each of {n} series")
        self.signed = np.zeros(n, bool) if signed is None else np.asarray(self.series.isin(list(signed)))
        self.options = MonitorOptions() if options is None else options
        self.state = FilterState.new(n, self.options.filter)
        self.alerts = Alerts(self.series, levels)
        self.silent = np.zeros(n, np.int64)
        self.period: int | None = None
        self.read = 0  # reports taken from a stream so far, so that it can be gone on with
        self.counts: dict[str, int] = {}
        self.ledger = None if ledger is None else Path(ledger)
        self.believed = np.full(n, np.iinfo(np.int64).min)  # the period up to which a series was confirmed

    # ---- reports -----------------------------------------------------------------------------------------------
    def step(self, period: int, reports: pd.DataFrame) -> Step:
        """Take the reports of one period: a DataFrame with columns series, value, and if given period and unit.

        Raises ProblemError for a period that is not after the last one, or columns that are missing.
        """
        if self.period is not None and period <= self.period:
            raise ProblemError(f"period: {period} does not come after {self.period}")
        for column in ("series", "value"):
            if column not in reports:
                raise ProblemError(
                    f"reports: column {column!r} is missing; there are {list(map(str, reports.columns))}"
                )
        mean, deviation = self.state.forecast()
        expected = mean * self.capability
        known = self.state.seen >= self.options.learn
        judged = known & (self.believed < period)
        forecast = (expected, deviation * self.capability)
        values, aside = sift(reports, period, self.series, self.units, forecast, judged, self.signed)
        absent = missing(period, self.series, values, expected)
        aside = absent if aside.empty else aside if absent.empty else pd.concat([aside, absent], ignore_index=True)
        happened, trend = advance(self.state, values / self.capability, self.options.filter)
        self.silent = np.where(np.isnan(values), self.silent + 1, 0)
        kind, probability = self._judge(happened, trend, known)
        self.period = period
        self._enter(aside)
        return Step(period, self.alerts.update(period, kind, probability), aside, int(np.isfinite(values).sum()))

    def run(self, stream: Iterable[tuple[int, pd.DataFrame]]) -> Iterator[Step]:
        """Steps of a stream of (period, reports), as :func:`kantor.feedback.monitor.stream.read_reports` makes it."""
        for period, reports in stream:
            self.read += len(reports)
            yield self.step(period, reports)

    def confirm(self, series: Any) -> None:
        """Someone says that a report which was set aside as zero or scale is true.

        From the next period on, for as many periods as it takes to learn a series, what it reports is believed whatever
        it looks like: for plants that really stand still, or really changed by a factor of ten.
        """
        at = self.series.get_indexer(pd.Index([series]))
        if at[0] < 0:
            raise ProblemError(f"confirm: {series!r} is no monitored series{suggest(str(series), self.series[:5000])}")
        self.believed[at] = (0 if self.period is None else self.period) + self.options.learn

    def _judge(self, happened: FloatArray, trend: FloatArray, known: Any) -> tuple[np.ndarray[Any, Any], FloatArray]:
        """The gravest alert that each series gives reason for, and its probability."""
        o, n = self.options, len(self.series)
        kind, probability = np.full(n, -1, np.int8), np.zeros(n)
        moved = happened[:, STEP] + happened[:, SLOPE]
        for name, value, least in (
            ("outlier", happened[:, OUTLIER], o.outlier),
            ("change", moved, o.change),
            ("slope", np.maximum(trend, happened[:, SLOPE]), o.slope),
            ("step", happened[:, STEP], o.step),
        ):
            found = known & (value > least)
            kind[found], probability[found] = KINDS.index(name), value[found]
        quiet = self.silent >= o.silent
        kind[quiet], probability[quiet] = KINDS.index("silent"), 1.0
        return kind, probability

    # ---- what is seen ------------------------------------------------------------------------------------------
    def indices(self) -> pd.DataFrame:
        """Beer's indices of achievement, by series, from the filtered level.

        ``actual``, ``capability``, ``potential`` in the series' unit; ``productivity`` = actual / capability,
        ``latency`` = capability / potential, ``performance`` = actual / potential; ``slope`` per period and ``noise``,
        the standard deviation of a report. Source: Beer, Brain of the Firm (1981), chapter 11.
        """
        actual = self.state.level() * self.capability
        return pd.DataFrame(
            {
                "actual": actual,
                "capability": self.capability,
                "potential": self.potential,
                "productivity": actual / self.capability,
                "latency": self.capability / self.potential,
                "performance": actual / self.potential,
                "slope": self.state.slope() * self.capability,
                "noise": self.state.deviation() * self.capability,
                "reports": self.state.seen,
            },
            index=self.series,
        )

    # ---- files ---------------------------------------------------------------------------------------------------
    def _enter(self, aside: pd.DataFrame) -> None:
        for reason, count in aside["reason"].value_counts().items():
            self.counts[str(reason)] = self.counts.get(str(reason), 0) + int(count)
        if self.ledger is not None and len(aside):
            fresh = not self.ledger.exists()
            with self.ledger.open("a", encoding="utf-8") as stream:
                aside.to_csv(stream, header=fresh, index=False)

    def save(self, folder: str | Path) -> Path:
        """Write the state to a folder, whole or not at all; :meth:`load` goes on from it."""
        target = Path(folder)
        refuse_foreign(target, FILES, "the state of a monitor")
        if self.series.nlevels > 1:
            raise ProblemError("monitor: series with several levels of labels cannot be saved; give them one name each")
        words = {
            "format": 1, "period": self.period, "read": self.read, "counts": self.counts,
            "levels": [dataclasses.asdict(level) for level in self.alerts.levels],
            "options": dataclasses.asdict(self.options),
            "ledger": None if self.ledger is None else str(self.ledger.resolve()),
        }  # fmt: skip
        table = pd.DataFrame({"series": self.series, "capability": self.capability, "potential": self.potential})
        table["signed"], table["unit"] = self.signed, None if self.units is None else self.units
        with new_folder(target) as partial:
            arrays = {name: getattr(self.state, name) for name in _STATE}
            arrays |= {f"alert_{name}": getattr(self.alerts, name) for name in _ALERTS}
            arrays |= {"silent": self.silent, "believed": self.believed}
            with (partial / "state.npz").open("wb") as stream:
                _save_arrays(stream, arrays)
            table.to_parquet(partial / "series.parquet")
            (partial / "monitor.json").write_text(json.dumps(words, indent=1, ensure_ascii=False), encoding="utf-8")
        return target

    @classmethod
    def load(cls, folder: str | Path) -> Monitor:
        """Read a saved monitor; ProblemError where the folder is none or damaged."""
        place = Path(folder)
        try:
            words = json.loads((place / "monitor.json").read_text(encoding="utf-8"))
            table = pd.read_parquet(place / "series.parquet")
            arrays = dict(np.load(place / "state.npz", allow_pickle=False))
            options = words["options"]
            made = cls(
                table["series"].to_numpy(),
                table["capability"].to_numpy(),
                table["potential"].to_numpy(),
                None if table["unit"].isna().all() else table["unit"].to_numpy(object),
                table["series"][table["signed"]],
                [Level(**level) for level in words["levels"]],
                MonitorOptions(**options | {"filter": FilterOptions(**options["filter"])}),
                words["ledger"],
            )
            for name in _STATE:
                setattr(made.state, name, arrays[name])
            for name in _ALERTS:
                setattr(made.alerts, name, arrays[f"alert_{name}"])
            made.silent, made.period, made.read = arrays["silent"], words["period"], words["read"]
            made.counts = words["counts"]
            made.believed = arrays["believed"]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ProblemError(f"{place}: no state of a monitor that can be read: {error}") from error
        return made


def _save_arrays(stream: IO[bytes], arrays: dict[str, Any]) -> None:
    np.savez(stream, **arrays)


def _positive(given: Any, series: pd.Index, what: str) -> FloatArray:
    values = aligned(given, series, what, "series") if isinstance(given, pd.Series) else np.asarray(given, np.float64)
    if values.shape != (len(series),):
        raise ProblemError(f"{what}: shape {values.shape}, expected ({len(series)},)")
    bad = np.flatnonzero(~(np.isfinite(values) & (values > 0)))
    if bad.size:
        raise ProblemError(f"{what}: that of {series[bad[0]]!r} is {float(values[bad[0]])!r}, expected a number > 0")
    return values
