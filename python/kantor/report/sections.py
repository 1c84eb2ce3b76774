"""The sections of a plan's report: each takes the facts and returns HTML, or nothing if there is nothing to say."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from . import svg
from .numbers import change, exact, percent, quantity
from .page import Cell, Markup, paragraph, section, table, tiles

if TYPE_CHECKING:
    from ..planning.result import PlanResult

TOP = 10
# Ratios closer than this are said in one sentence instead of drawn.
_SAME = 1e-6


@dataclass(frozen=True)
class Facts:
    """What the sections draw from: a result, and what of plan.json is known (inputs, scenario, software)."""

    result: PlanResult
    record: dict[str, Any] = field(default_factory=dict)

    def name(self, label: Any) -> Markup:
        """Words for the label of a product or technique: its name with the code in small print, or the code."""
        code = " / ".join(map(str, label)) if isinstance(label, tuple) else str(label)
        names = self.result.names
        words = code if names is None else str(names.get(label, code))
        return Markup(escape(code) if words == code else f"{escape(words)} <small>{escape(code)}</small>")


def head(facts: Facts) -> str:
    """Title, status, and the figures to remember."""
    result = facts.result
    good = result.status.value == "optimal"
    badge = f"<p><span class='badge {'good' if good else 'bad'}'>{escape(result.status.value)}</span></p>"
    goal = {"max": "largest", "min": "smallest"}[result.sense]
    figures: list[tuple[str, Cell, Cell]] = [
        ("Objective", exact(result.objective), f"{goal} possible, {result.objective_unit}; {result.objective_kind}"),
        ("Certified interval of the optimum", _interval(result), _gap(result)),
        ("Size", f"{len(result.consumption):,} products", f"{len(result.activity):,} techniques, {len(result.limits)} limits"),
        ("Work", _seconds(result), f"{result.info.iterations:,} iterations, {result.info.method}, {result.info.backend}"),
    ]
    return f"<h1>{escape(result.name)}</h1>{badge}{tiles(figures)}"


def certificate(facts: Facts) -> str:
    """What "certified" means, in two sentences."""
    r = facts.result
    if not (math.isfinite(r.lower_bound) and math.isfinite(r.upper_bound)):
        return section("What is certified", paragraph("This plan has no certified interval: " + (r.info.why or r.status.value) + "."))
    text = (
        "One end of the interval is the value of the plan in this folder, which keeps every limit and balance; the other follows from "
        "its prices and rents, which no plan whatsoever can beat. Both were computed from the raw input with a guard for rounding, and "
        "“kantor verify” recomputes them with code that shares nothing with the solver."
    )
    return section("What is certified", paragraph(text))


def limits(facts: Facts) -> str:
    """Limits, how far each is used, and what it is worth."""
    result = facts.result
    if not result.limits:
        return ""
    binding = {name for kind, name in result.bottlenecks().index if kind != "capacity"}
    rows: list[Sequence[Cell]] = []
    for limit in result.limits:
        row = result.use.loc[limit.name]
        bound = limit.upper if math.isfinite(limit.upper) else limit.lower
        kind = "at most" if math.isfinite(limit.upper) else "at least"
        used, scale = float(row["use"]), max(abs(float(row["use"])), abs(bound))
        bar = svg.bar(used, scale, mark=bound, kind="binding" if limit.name in binding else "plain")
        words = f"{limit.name} ({limit.indicator})" if limit.name.casefold() != limit.indicator.casefold() else limit.name
        rows.append(
            (
                Markup(f"{escape(words)}{' <span class=bind>binds</span>' if limit.name in binding else ''}"),
                quantity(used, limit.unit),
                f"{kind} {quantity(bound, limit.unit)}",
                Markup(bar),
                percent(used / bound) if bound else "n/a",
                change(used / limit.base) if limit.base else "n/a",
            )
        )
    header = ("limit", "use", "bound", "", "use / bound", "against base")
    classes = ("label", "num", "num", "barcell", "num", "num")
    note = "The base is what the targets would take at full scale with the base year's technology."
    return section("Limits", table(header, rows, caption=note, classes=classes), _other_use(facts))


def _other_use(facts: Facts) -> str:
    """Indicators without a limit, folded away."""
    result = facts.result
    others = result.use.drop(index=[limit.name for limit in result.limits])
    if others.empty:
        return ""
    rows = []
    for name, row in others.iterrows():
        ratio = row["use"] / row["base"] if row["base"] else math.nan
        rows.append((str(name), quantity(float(row["use"]), str(row["unit"])), change(float(ratio))))
    inner = table(("indicator", "use", "against base"), rows, caption="Use of everything else the table records")
    return f"<details><summary>{len(rows)} indicators without a limit</summary>{inner}</details>"


def bottlenecks(facts: Facts) -> str:
    """What binds and what relaxing it would bring."""
    found = facts.result.bottlenecks()
    if found.empty:
        return section("Bottlenecks", paragraph("No limit and no capacity binds."))
    largest = float(found["one_more_percent"].abs().max())
    rows: list[Sequence[Cell]] = []
    for (kind, name), row in found.head(TOP).iterrows():
        gain, words = float(row["one_more_percent"]), facts.name(name).html if kind == "capacity" else escape(str(name))
        bar = Markup(svg.bar(abs(gain), largest, kind="binding"))
        bound = quantity(float(row["bound"]), str(row["unit"]))
        rows.append((Markup(f"{words}, {kind}"), bound, bar, f"{gain:+.4g}", quantity(float(row["rent"]))))
    unit, more = facts.result.objective_unit, len(found) - len(rows)
    note = f"One percent more: change of the objective ({unit}) if the bound were one percent wider. Rent: per unit of the bound"
    note += f". {more} more are in the plan folder." if more > 0 else "."
    header = ("what binds", "bound", "", "one percent more", "rent")
    return section("Bottlenecks", table(header, rows, caption=note, classes=("label", "num", "barcell", "num", "num")))


def prices(facts: Facts) -> str:
    """The dearest products and how far prices spread around the basket's."""
    result = facts.result
    if not (result.prices > 0).any() or not (result.targets > 0).any():
        return ""
    relative = result.normalised_prices()
    top = relative.sort_values(ascending=False, kind="stable").head(TOP)
    basket = result.targets.clip(lower=0.0)
    worth, largest = relative * basket / float(relative @ basket), float(top.iloc[0])
    rows: list[Sequence[Cell]] = [
        (facts.name(label), Markup(svg.bar(float(value), largest)), quantity(float(value)), percent(float(worth.get(label, 0.0))))
        for label, value in top.items()
    ]
    words = "Prices relative to the basket of the targets, whose average is 1"
    head = ("product", "", "relative price", "of the basket's value")
    shown = table(head, rows, caption=f"{words}; the {len(rows)} largest", classes=("label", "barcell", "num", "num"))
    positive = relative[relative > 0].to_numpy()
    return section("Prices", "<div class='pair'>", _spread(positive), f"<div>{shown}</div></div>")


def _spread(relative: np.ndarray[Any, Any]) -> str:
    low, middle, high = np.quantile(relative, [0.05, 0.5, 0.95])
    if high / low < 1 + _SAME:
        return f"<div>{paragraph('All products have the same relative price.')}</div>"
    power = max(math.ceil(math.log2(max(high, 1 / low))), 1)
    edges = [2.0 ** (power * k / 6) for k in range(-6, 7)]
    inside = np.clip(relative, edges[0], edges[-1])
    chart = svg.histogram(inside.tolist(), edges, "Number of products by relative price", marker=1.0)
    text = (
        f"Half of all products cost less than {quantity(float(middle), digits=3)} times the basket's average, 90 % between "
        f"{quantity(float(low), digits=3)} and {quantity(float(high), digits=3)} times. The base year's prices are 1 if the table is in money: "
        "above 1, the plan's limits make a product dearer than the base year's price says."
    )
    return f"<div>{chart}{paragraph('Products by relative price; the outer bars hold everything beyond.', 'soft')}{paragraph(text)}</div>"


def activities(facts: Facts) -> str:
    """What grows and what shrinks against the base plan."""
    result, base = facts.result, facts.result.base
    if base is None:
        return ""
    plan = result.activity.to_numpy(float)
    old = base.reindex(result.activity.index).fillna(0.0).to_numpy(float)
    running = old > 0
    if not running.any():
        return ""
    ratio = plan[running] / old[running]
    if ratio.max() - ratio.min() <= _SAME and not (plan[~running] > 0).any():
        text = f"Every activity changes by the same share against the base plan: {change(float(ratio.mean()))}."
        return section("Activity against the base year", paragraph(text))
    difference = pd.Series(plan - old, index=result.activity.index)
    parts = [_movers(facts, difference, base, rising) for rising in (True, False)]
    note = "The base plan delivers the same targets in full with the base year's technology. Ordered by the size of the change."
    return section("Activity against the base year", paragraph(note), f"<div class='pair'>{''.join(parts)}</div>", _regions(result, base))


def _movers(facts: Facts, difference: pd.Series, base: pd.Series, rising: bool) -> str:
    moved = difference[difference > 0] if rising else difference[difference < 0]
    top = moved.reindex(moved.abs().sort_values(ascending=False, kind="stable").index).head(TOP)
    if top.empty:
        return f"<div>{paragraph('No activity ' + ('grows.' if rising else 'shrinks.'))}</div>"
    largest = float(top.abs().max())
    rows: list[Sequence[Cell]] = []
    for label, value in top.items():
        old = float(base.get(label, 0.0))
        rows.append((facts.name(label), Markup(svg.signed_bar(float(value), largest)), quantity(float(value)), change((old + value) / old) if old > 0 else "new"))
    words = ("Grow most" if rising else "Shrink most") + _in_unit(facts.result)
    return f"<div>{table(('technique', '', 'change', 'share'), rows, caption=words, classes=('label', 'barcell', 'num', 'num'))}</div>"


def _regions(result: PlanResult, base: pd.Series) -> str:
    """Activity by region, for a table with one unit and labels (region, sector)."""
    if not isinstance(result.activity.index, pd.MultiIndex) or not isinstance(result.unit, str):
        return ""
    new = result.activity.groupby(level=0, sort=False).sum()
    old = base.groupby(level=0, sort=False).sum().reindex(new.index).fillna(0.0)
    moved = (new - old).abs().sort_values(ascending=False, kind="stable").head(2 * TOP).index
    largest = float((new - old).abs().max())
    rows: list[Sequence[Cell]] = [
        (str(region), Markup(svg.signed_bar(float(new[region] - old[region]), largest)), quantity(float(new[region])), change(float(new[region] / old[region])) if old[region] > 0 else "new")
        for region in moved
    ]
    return table(("region", "", "activity", "change"), rows, caption=f"By region{_in_unit(result)}, the largest changes", classes=("label", "barcell", "num", "num"))


def consumption(facts: Facts) -> str:
    """Consumption against the targets."""
    result = facts.result
    wanted = result.targets[result.targets > 0]
    if wanted.empty:
        return ""
    ratio = (result.consumption.reindex(wanted.index) / wanted).astype(float)
    title = "Consumption against target"
    if ratio.max() - ratio.min() <= _SAME:
        return section(title, paragraph(f"Every one of the {len(ratio):,} targets is met to the same share: {percent(float(ratio.mean()), 4)}."))
    edges = np.linspace(float(ratio.min()), float(ratio.max()), 13).tolist()
    chart = svg.histogram(ratio.tolist(), edges, "Number of products by consumption / target", marker=1.0)
    met = int((ratio >= 1).sum())
    words = f"{met:,} of {len(ratio):,} targets are met in full; the least served reaches {percent(float(ratio.min()))}."
    lists = "".join(_fulfilment(facts, ratio, wanted, most) for most in (False, True))
    return section(title, paragraph(words), chart, paragraph("Products by consumption / target", "soft"), f"<div class='pair'>{lists}</div>")


def _fulfilment(facts: Facts, ratio: pd.Series, wanted: pd.Series, most: bool) -> str:
    top = ratio.sort_values(ascending=not most, kind="stable").head(TOP)
    largest = max(float(ratio.max()), 1.0)
    rows: list[Sequence[Cell]] = [
        (facts.name(label), Markup(svg.bar(float(value), largest, mark=1.0)), percent(float(value)), quantity(float(wanted[label])))
        for label, value in top.items()
    ]
    words = ("Best served" if most else "Least served") + _in_unit(facts.result)
    return f"<div>{table(('product', '', 'share', 'target'), rows, caption=words, classes=('label', 'barcell', 'num', 'num'))}</div>"


def convergence(facts: Facts) -> str:
    """Residuals and gap against iterations, where the method keeps a history."""
    history = facts.result.info.history
    if len(history) < 2:
        return ""
    keys = [key for key in ("primal_residual", "dual_residual", "gap") if any(key in point for point in history)]
    lines = {
        key.replace("_", " "): [(float(point["iteration"]), float(point[key])) for point in history if key in point and "iteration" in point]
        for key in keys
    }
    chart = svg.log_lines(lines, "Residuals against iterations", facts.result.info.tolerance)
    return section("Convergence", chart, paragraph("The dashed line is the tolerance asked for.", "soft")) if chart else ""


def _interval(result: PlanResult) -> Cell:
    low, high = (exact(end) if math.isfinite(end) else "no bound" for end in (result.lower_bound, result.upper_bound))
    return Markup(f"{escape(low)}<br>{escape(high)}")


def _gap(result: PlanResult) -> str:
    return f"gap {result.gap:.1e}, asked for {result.info.tolerance:.0e}" if math.isfinite(result.gap) else "no certified gap"


def _in_unit(result: PlanResult) -> str:
    """Words for the unit of all products, if they share one."""
    return f", in {result.unit}" if isinstance(result.unit, str) and result.unit else ""


def _seconds(result: PlanResult) -> str:
    total = result.info.seconds.get("total")
    return f"{total:.3g} s" if isinstance(total, int | float) else "n/a"


SECTIONS: tuple[Callable[[Facts], str], ...] = (head, certificate, limits, bottlenecks, consumption, prices, activities, convergence)
