"""Figures of a plan for papers and notebooks, with matplotlib, on given axes or on new ones."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ..data.labels import show
from ..errors import ProblemError, need
from .flows import Flows, economy_of
from .record import read_record

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from .result import PlanResult

_INK, _BIND, _SOFT = "#2f7a8c", "#b4541a", "#8a949c"
_LONGEST = 40


class Figures:
    """The figures of one result; ``result.plot`` makes it.

    >>> import kantor as kt
    >>> result = kt.Plan(kt.load_economy("us_2012"), objective=kt.Harmony(), limits={"labour": "102%"}).solve()
    >>> result.plot.prices().get_xlabel()
    'labour content, basket = 1'
    """

    def __init__(self, result: PlanResult):
        self.result = result

    def bottlenecks(self, ax: Axes | None = None, most: int = 12) -> Axes:
        """What binds, by what one percent more of it would bring."""
        ax = _axes(ax)
        found = self.result.bottlenecks().head(most)[::-1]
        words = [f"{_short(name)}, {kind}" for kind, name in found.index]
        ax.barh(words, found["one_more_percent"].to_numpy(), color=_BIND)
        ax.set_xlabel(f"change of the objective, {self.result.objective_unit}, for one percent more")
        ax.set_title("What binds" if len(found) else "Nothing binds")
        return ax

    def fulfilment(self, ax: Axes | None = None, most: int = 30) -> Axes:
        """The targets that are least and best served, against the target."""
        ax, result = _axes(ax), self.result
        wanted = result.targets[result.targets > 0]
        share = (result.consumption.reindex(wanted.index) / wanted).sort_values(kind="stable")
        if len(share) > most:
            share = pd.concat([share.head(most // 2), share.tail(most - most // 2)])
        ax.barh([_short(label) for label in share.index], 100 * share.to_numpy(), color=_INK)
        ax.axvline(100, color=_SOFT, linewidth=1)
        ax.set_xlabel("consumption, % of the target")
        return ax

    def prices(self, ax: Axes | None = None, by: str | None = None) -> Axes:
        """Prices against what products embody of an indicator, on logarithmic axes; both average 1 over the basket.

        by : indicator or alias; None: labour where the table has it, else the first limit's indicator.
        """
        result, economy = self.result, self._economy()
        known = {str(name) for name in economy.indicators}
        if by is None:
            limited = [limit.indicator for limit in result.limits]
            by = next((n for n in ("labour", *limited) if economy.aliases.get(n, n) in known), None)
        if by is None:
            raise ProblemError("prices: the table has no indicator to compare prices with")
        content = Flows(result, economy).embodied([economy.indicator_name(by)])
        if content.empty or not content.shape[1]:
            raise ProblemError(f"prices: what products embody of {by!r} cannot be computed for this plan")
        basket = np.maximum(result.targets.to_numpy(float), 0.0)
        value = content.iloc[:, 0].to_numpy(float)
        value = value * (basket.sum() / np.nansum(value * basket))
        price = result.normalised_prices().to_numpy(float)
        ax, shown = _axes(ax), (value > 0) & (price > 0)
        ax.scatter(value[shown], price[shown], s=14, color=_INK, alpha=0.6, linewidths=0)
        ends = [float(min(value[shown].min(), price[shown].min())), float(max(value[shown].max(), price[shown].max()))]
        ax.plot(ends, ends, color=_SOFT, linewidth=1, linestyle="--")
        ax.set(xscale="log", yscale="log", xlabel=f"{by} content, basket = 1", ylabel="price, basket = 1")
        return ax

    def convergence(self, ax: Axes | None = None) -> Axes:
        """Residuals and gap against iterations, for methods that keep a history."""
        history, info = self.result.info.history, self.result.info
        if len(history) < 2:
            raise ProblemError(f"convergence: the method {info.method!r} keeps no history")
        ax = _axes(ax)
        for key in ("primal_residual", "dual_residual", "gap"):
            points = [(p["iteration"], p[key]) for p in history if p.get(key, 0.0) > 0 and math.isfinite(p[key])]
            if points:
                ax.plot(*zip(*points, strict=True), label=key.replace("_", " "))
        if info.tolerance > 0:
            ax.axhline(info.tolerance, color=_SOFT, linewidth=1, linestyle="--", label="tolerance")
        ax.set(yscale="log", xlabel="iterations")
        ax.legend(frameon=False)
        return ax

    def trade(self, ax: Axes | None = None) -> Axes:
        """What each region gives to each other one, worth at the plan's prices; shades are logarithmic."""
        flows = Flows(self.result, self._economy())
        if "region" not in flows.eco.products.names:
            raise ProblemError("trade: the plan has no regions")
        matrix = flows.between("region")
        values = matrix.to_numpy().copy()
        np.fill_diagonal(values, 0.0)
        ax = _axes(ax)
        with np.errstate(divide="ignore"):
            image = ax.imshow(np.where(values > 0, np.log10(values), np.nan), cmap="Blues")
        names = [_short(name) for name in matrix.index]
        ax.set_xticks(range(len(names)), names, rotation=90, fontsize=7)
        ax.set_yticks(range(len(names)), names, fontsize=7)
        ax.set(xlabel="to", ylabel="from")
        figure = ax.figure
        figure.colorbar(image, ax=ax, label="logarithm of the worth")
        return ax

    def years(self, *indicators: str, ax: Axes | None = None) -> Axes:
        """Use of limits or indicators year by year, each relative to its bound, or to its first year where it has none.

        indicators : names without the year ("labour"); none: all limits that hold year by year.
        """
        result = self.result
        years = sorted({int(year) for year in _level(result.activity.index, "year")})
        if len(years) < 2:
            raise ProblemError("years: the plan has one year")
        bounds = {limit.name: limit.upper for limit in result.limits if math.isfinite(limit.upper)}
        use: dict[Any, float] = result.use["use"].to_dict()
        stems = indicators or tuple(dict.fromkeys(n.rsplit(" ", 1)[0] for n in bounds if n.endswith(str(years[0]))))
        ax = _axes(ax)
        for stem in stems:
            names = [f"{stem} {year}" for year in years]
            if not all(name in use for name in names):
                raise ProblemError(f"years: the plan has no {names[0]!r}")
            whole = [bounds.get(name) or use[names[0]] for name in names]
            ax.plot(years, [100 * use[n] / w for n, w in zip(names, whole, strict=True)], marker="o", label=stem)
        ax.set_xticks(years)
        ax.set(ylabel="use, % of the bound (of the first year where there is none)")
        ax.legend(frameon=False)
        return ax

    def frontier(self, table: pd.DataFrame, ax: Axes | None = None) -> Axes:
        """A frontier from :func:`kantor.frontier`: the second objective across, the first up, with its intervals."""
        first, second = (str(name) for name in table.columns[:2])
        ax = _axes(ax)
        x, y = table[second].to_numpy(float), table[first].to_numpy(float)
        order = np.argsort(x)
        low, high = table["lower_bound"].to_numpy(float), table["upper_bound"].to_numpy(float)
        room = np.maximum(np.array([y - low, high - y]), 0.0)[:, order]
        ax.errorbar(x[order], y[order], yerr=room, marker="o", color=_INK)
        ax.set(xlabel=second, ylabel=first)
        return ax

    def _economy(self) -> Any:
        record = {} if self.result.folder is None else read_record(self.result.folder)
        economy, why = economy_of(self.result, record)
        if economy is None:
            raise ProblemError(f"plot: {why}")
        return economy


def _axes(ax: Axes | None) -> Axes:
    if ax is not None:
        return ax
    plt = need("matplotlib.pyplot", "figures", "report")
    made: Axes = plt.subplots(layout="constrained")[1]
    return made


def _short(label: Any) -> str:
    text = show(label)
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


def _level(index: pd.Index, name: str) -> pd.Index:
    return index.get_level_values(name) if name in index.names else pd.Index([])
