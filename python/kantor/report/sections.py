"""The sections of a plan's report: each takes the facts and returns HTML, or nothing if there is nothing to say."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from html import escape
from typing import TYPE_CHECKING, Any

import pandas as pd

from ..solvers.solution import Status
from . import svg
from .explorer import explorer
from .facts import BARS, SAME, TOP, Facts
from .labels import records
from .numbers import amount, change, counted, exact, percent, quantity
from .overview import overview
from .page import Cell, Markup, named, paragraph, section, shortened, table, tiles
from .places import techniques, trade
from .products import activities, consumption, prices
from .spans import LEVELS, reached
from .values import values
from .years import resources

if TYPE_CHECKING:
    from ..planning.limits import ResolvedLimit
    from ..planning.result import PlanResult

# A longer list of limits is folded.
_LISTED = 40
_GOALS = {
    "max-scale": "the largest common scale of the targets",
    "harmony": "the greatest harmony; 0 is every target just met",
    "log": "the greatest logarithmic utility",
    "power": "the greatest utility",
    "minimise-use": "the least use",
}


def head(facts: Facts) -> str:
    """Title, status, and the figures to remember."""
    result = facts.result
    good = result.status.value == "optimal"
    badge = f"<p><span class='badge {'good' if good else 'bad'}'>{escape(result.status.value)}</span></p>"
    iterations = f"{result.info.iterations:,} iterations, " if result.info.iterations else ""
    figures: list[tuple[str, Cell, Cell]] = [
        (
            "Objective",
            exact(result.objective),
            _GOALS.get(result.objective_kind, result.objective_kind) + _unit_of(result),
        ),
        ("Certified interval of the optimum", _interval(result), _gap(result)),
        (
            "Size",
            counted(len(result.consumption), "product"),
            f"{counted(len(result.activity), 'technique')}, {counted(len(result.limits), 'limit')}",
        ),
        ("Work", _seconds(result), f"{iterations}method {result.info.method}, backend {result.info.backend}"),
    ]
    return f"<h1><bdi>{escape(shortened(result.name, 300))}</bdi></h1>{badge}{tiles(figures)}"


def certificate(facts: Facts) -> str:
    """What "certified" means, in two sentences."""
    r = facts.result
    title = "What is certified"
    if r.status is Status.PRIMAL_INFEASIBLE:
        text = (
            "No plan keeps every balance and limit. The prices and rents in the plan folder prove it: by them, what is "
        )
        text += "asked for is worth more than everything that limits it. “kantor verify” rechecks that proof."
        return section(title, paragraph(text), paragraph(f"The solver's words: {r.info.why}.") if r.info.why else "")
    if not (math.isfinite(r.lower_bound) and math.isfinite(r.upper_bound)):
        return section(title, paragraph("This plan has no certified interval: " + (r.info.why or r.status.value) + "."))
    own, other = ("lower", "upper") if r.sense == "max" else ("upper", "lower")
    text = (
        f"The {own} end is what this plan achieves within every balance and limit; the {other} end follows from "
        "its prices and rents, and no plan can pass it. Both hold for the raw input in exact arithmetic, and “kantor "
        "verify” recomputes them with code that shares nothing with the solver."
    )
    return section(title, paragraph(text))


def limits(facts: Facts) -> str:
    """Limits, how far each is used, and what it is worth."""
    result = facts.result
    if not result.limits or not all(math.isfinite(use) for use in result.use["use"]):
        return ""
    uses: dict[Any, dict[Any, Any]] = result.use.to_dict("index")
    rows: list[Sequence[Cell]] = []
    for limit in result.limits:
        row = uses[limit.name]
        bound = limit.upper if math.isfinite(limit.upper) else limit.lower
        sign = "≤" if math.isfinite(limit.upper) else "≥"
        used, holds = float(row["use"]), limit.name in facts.binding
        words = f"{named(limit.name).html} <small>{escape(shortened(_what(limit)))}</small>"
        bar = svg.bar(used, max(abs(used), abs(bound)), mark=bound, kind="binding" if holds else "plain")
        rows.append(
            (
                Markup(words + (" <span class='bind'>binds</span>" if holds else "")),
                amount(used, limit.unit),
                f"{sign}\N{NO-BREAK SPACE}{amount(bound, limit.unit)}",
                Markup(bar),
                percent(used / bound) if bound else "n/a",
                change(used / limit.base) if limit.base else "n/a",
            )
        )
    header = ("limit", "use", "bound", "", "use / bound", "against base")
    classes = ("label", "num wrap", "num wrap", "barcell", "num", "num")
    note = "The base is what the targets would take at full scale with the base year's technology."
    if not facts.made:
        note = "The use is that of the best point the solver reached; it is no plan. " + note
    if len(rows) <= _LISTED:
        return section("Limits", table(header, rows, caption=note, classes=classes), _other_use(facts))
    order = sorted(range(len(rows)), key=lambda k: result.limits[k].name not in facts.binding)
    shown, rest = ([rows[k] for k in part] for part in (order[: _LISTED // 2], order[_LISTED // 2 :]))
    folded = table(header, rest, caption=note, classes=classes)
    more = f"<details><summary>{counted(len(rest), 'more limit')}</summary>{folded}</details>"
    note = f"Limits that bind come first. {note}"
    return section("Limits", table(header, shown, caption=note, classes=classes), more, _other_use(facts))


def _other_use(facts: Facts) -> str:
    """Indicators without a limit, folded away."""
    result = facts.result
    others = result.use.drop(index=[limit.name for limit in result.limits])
    if others.empty:
        return ""
    rows = []
    for name, row in records(others):
        ratio = row["use"] / row["base"] if row["base"] else math.nan
        rows.append((named(str(name)), quantity(float(row["use"]), str(row["unit"])), change(float(ratio))))
    inner = table(("indicator", "use", "against base"), rows, caption="Use of everything else the table records")
    return f"<details><summary>{counted(len(rows), 'indicator')} without a limit</summary>{inner}</details>"


def spans(facts: Facts) -> str:
    """How far the targets are reached in every year and region."""
    parts = []
    for level in LEVELS:
        found = reached(facts.result, level) if facts.made else pd.DataFrame()
        if len(found) > 1 and found.to_numpy().max() - found.to_numpy().min() <= SAME:
            share = percent(float(found["mean"].mean()))
            parts.append(paragraph(f"Every {level} gets the same share of its targets: {share}."))
        elif len(found) > 1:
            largest = max(float(found["least"].max()), 1.0)
            rows: list[Sequence[Cell]] = [
                (
                    named(str(key)),
                    Markup(svg.bar(float(row["least"]), largest, mark=1.0)),
                    percent(float(row["least"])),
                    percent(float(row["mean"])),
                )
                for key, row in records(found)
            ]
            head, words = (
                (level, "", "least", "mean"),
                f"Share of the targets delivered, by {level}; the mean is by value",
            )
            parts.append(table(head, rows, caption=words, classes=BARS))
    return section("Years and regions", *parts) if parts else ""


def bottlenecks(facts: Facts) -> str:
    """What binds and what relaxing it would bring."""
    if not facts.made:
        return ""
    found = facts.bottlenecks
    if found.empty:
        return section("Bottlenecks", paragraph("No limit and no capacity binds."))
    largest = float(found["one_more_percent"].abs().max())
    rows: list[Sequence[Cell]] = []
    for (kind, name), row in records(found.head(TOP)):
        gain, words = (
            float(row["one_more_percent"]),
            facts.name(name).html if kind == "capacity" else named(str(name)).html,
        )
        bar = Markup(svg.bar(abs(gain), largest, kind="binding"))
        bound = quantity(float(row["bound"]), str(row["unit"]))
        rows.append((Markup(f"{words}, {kind}"), bound, bar, f"{gain:+.4g}", quantity(float(row["rent"]))))
    unit, more = facts.result.objective_unit, len(found) - len(rows)
    note = f"One percent more: change of the objective ({unit}) if the bound were one percent wider. Rent: "
    note += "what one unit more would bring"
    note += f". {more} more are in the plan folder." if more > 0 else "."
    header = ("what binds", "bound", "", "one percent more", "rent")
    return section(
        "Bottlenecks", table(header, rows, caption=note, classes=("label", "num wrap", "barcell", "num", "num"))
    )


def convergence(facts: Facts) -> str:
    """Residuals and gap against iterations, where the method keeps a history."""
    history = facts.result.info.history
    if len(history) < 2:
        return ""
    keys = [key for key in ("primal_residual", "dual_residual", "gap") if any(key in point for point in history)]
    lines = {
        key.replace("_", " "): [
            (float(point["iteration"]), float(point[key])) for point in history if key in point and "iteration" in point
        ]
        for key in keys
    }
    chart = svg.log_lines(lines, "Residuals against iterations", facts.result.info.tolerance)
    return (
        section("Convergence", chart, paragraph("The dashed line is the tolerance asked for.", "soft")) if chart else ""
    )


def _what(limit: ResolvedLimit) -> str:
    """Indicator, where it has another name than the limit, and unit."""
    named = limit.name.casefold() == limit.indicator.casefold()
    return ", ".join(part for part in ("" if named else limit.indicator, limit.unit) if part)


def _interval(result: PlanResult) -> Cell:
    low, high = (exact(end) if math.isfinite(end) else "no bound" for end in (result.lower_bound, result.upper_bound))
    return Markup(f"{escape(low)}<br>{escape(high)}")


def _unit_of(result: PlanResult) -> str:
    return f", in {result.objective_unit}" if result.objective_kind == "minimise-use" else ""


def _gap(result: PlanResult) -> str:
    return (
        f"gap {result.gap:.1e}, asked for {result.info.tolerance:.0e}"
        if math.isfinite(result.gap)
        else "no certified gap"
    )


def _seconds(result: PlanResult) -> str:
    total = result.info.seconds.get("total")
    return f"{total:.3g} s" if isinstance(total, int | float) else "n/a"


SECTIONS: tuple[Callable[[Facts], str], ...] = (
    head,
    overview,
    certificate,
    bottlenecks,
    limits,
    resources,
    spans,
    consumption,
    explorer,
    prices,
    values,
    activities,
    techniques,
    trade,
    convergence,
)
