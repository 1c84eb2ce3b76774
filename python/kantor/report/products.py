"""The sections about products and techniques: consumption, prices, activity."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from ..data.labels import show
from . import svg
from .facts import BARS, SAME, TOP, Facts
from .labels import entries, leading, of_each_sector
from .numbers import change, percent, quantity
from .page import Cell, Markup, named, paragraph, section, table

# Fewer products than this are listed, not counted in a histogram.
FEW = 12


def consumption(facts: Facts) -> str:
    """Consumption against the targets."""
    result = facts.result
    wanted = result.targets[result.targets > 0]
    if wanted.empty or not facts.made:
        return ""
    ratio = (result.consumption.reindex(wanted.index) / wanted).astype(float)
    title = "Consumption against target"
    if ratio.max() - ratio.min() <= SAME:
        return section(
            title,
            paragraph(
                f"Every one of the {len(ratio):,} targets is met to the same share: {percent(float(ratio.mean()), 4)}."
            ),
        )
    met = int((ratio >= 1).sum())
    words = (
        f"{met:,} of {len(ratio):,} targets are met in full; the least served reaches {percent(float(ratio.min()))}."
    )
    if len(ratio) <= FEW:
        return section(title, paragraph(words), _fulfilment(facts, ratio, wanted, "All targets", False))
    edges = np.linspace(float(ratio.min()), float(ratio.max()), 13).tolist()
    chart = svg.histogram(ratio.tolist(), edges, "Number of products by consumption / target", marker=1.0)
    lists = _fulfilment(facts, ratio, wanted, "Least served", False)
    lists += _fulfilment(facts, ratio, wanted, "Best served", True)
    below = paragraph("Products by consumption / target", "soft")
    return section(title, paragraph(words), chart, below, f"<div class='pair'>{lists}</div>")


def _fulfilment(facts: Facts, ratio: pd.Series, wanted: pd.Series, title: str, most: bool) -> str:
    top = leading(ratio.sort_values(ascending=not most, kind="stable"), FEW if len(ratio) <= FEW else TOP)
    largest = max(float(ratio.max()), 1.0)
    rows: list[Sequence[Cell]] = [
        (
            facts.name(label),
            Markup(svg.bar(value, largest, mark=1.0)),
            percent(value),
            facts.amount(float(wanted[label])),
        )
        for label, value in entries(top)
    ]
    words = title + facts.in_unit() + of_each_sector(ratio.index)
    return f"<div>{table(('product', '', 'share', 'target'), rows, caption=words, classes=BARS)}</div>"


def prices(facts: Facts) -> str:
    """The dearest products and how far prices spread around the basket's."""
    result = facts.result
    if not facts.made or not (result.prices > 0).any() or not (result.targets > 0).any():
        return ""
    relative = result.normalised_prices()
    top = leading(relative.sort_values(ascending=False, kind="stable"), TOP)
    basket = result.targets.clip(lower=0.0)
    worth, largest = (
        relative * basket / float(np.dot(relative.to_numpy(), basket.to_numpy())),
        float(np.max(top.to_numpy())),
    )
    rows: list[Sequence[Cell]] = [
        (
            facts.name(label),
            Markup(svg.bar(value, largest, mark=1.0)),
            quantity(value),
            percent(float(worth.get(label, 0.0))),
        )
        for label, value in entries(top)
    ]
    words = "Prices relative to the basket of the targets, whose average is 1"
    head = ("product", "", "relative price", "of the basket's value")
    shown = table(head, rows, caption=f"{words}; the {len(rows)} largest{of_each_sector(relative.index)}", classes=BARS)
    positive = relative[relative > 0].to_numpy()
    if len(relative) <= FEW:
        return section("Prices", shown)
    return section("Prices", "<div class='pair'>", _spread(positive), f"<div>{shown}</div></div>")


def _spread(relative: np.ndarray[Any, Any]) -> str:
    low, middle, high = np.quantile(relative, [0.05, 0.5, 0.95])
    if high / low < 1 + SAME:
        return f"<div>{paragraph('All products have the same relative price.')}</div>"
    power = max(math.ceil(math.log2(max(high, 1 / low))), 1)
    edges = [2.0 ** (power * k / 6) for k in range(-6, 7)]
    inside = np.clip(relative, edges[0], edges[-1])
    chart = svg.histogram(inside.tolist(), edges, "Number of products by relative price", marker=1.0)
    cheap, half, dear = (quantity(float(value), digits=3) for value in (low, middle, high))
    text = (
        f"Half of all products cost less than {half} times the basket's average, 90 % between {cheap} and {dear}. "
        "In a table in money the base year's prices are 1: above 1, the plan's limits make a product dearer than that."
    )
    below = paragraph("Products by relative price; the outer bars hold everything beyond.", "soft")
    return f"<div>{chart}{below}{paragraph(text)}</div>"


def activities(facts: Facts) -> str:
    """What grows and what shrinks against the base plan."""
    result, base = facts.result, facts.result.base
    if base is None or not facts.made:
        return ""
    plan = result.activity.to_numpy(float)
    old = base.reindex(result.activity.index).fillna(0.0).to_numpy(float)
    running = old > 0
    if not running.any():
        return ""
    ratio = plan[running] / old[running]
    if ratio.max() - ratio.min() <= SAME and not (plan[~running] > 0).any():
        text = f"Every activity changes by the same share against the base plan: {change(float(ratio.mean()))}."
        return section("Activity against the base year", paragraph(text))
    moved = np.where(np.abs(plan - old) > SAME * np.abs(old), plan - old, 0.0)
    difference = pd.Series(moved, index=result.activity.index)
    parts = [_movers(facts, difference, base, rising) for rising in (True, False)]
    note = "The base plan delivers the same targets in full with the base year's technology. Largest changes first."
    return section(
        "Activity against the base year",
        paragraph(note),
        f"<div class='pair'>{''.join(parts)}</div>",
        _regions(facts, base),
    )


def _movers(facts: Facts, difference: pd.Series, base: pd.Series, rising: bool) -> str:
    moved = difference[difference > 0] if rising else difference[difference < 0]
    top = leading(moved.reindex(moved.abs().sort_values(ascending=False, kind="stable").index), TOP)
    if top.empty:
        return f"<div>{paragraph('No activity ' + ('grows.' if rising else 'shrinks.'))}</div>"
    largest = float(top.abs().max())
    rows: list[Sequence[Cell]] = []
    for label, value in entries(top):
        old = float(base.get(label, 0.0))
        rows.append(
            (
                facts.name(label),
                Markup(svg.signed_bar(value, largest)),
                facts.amount(value),
                change((old + value) / old) if old > 0 else "new",
            )
        )
    words = ("Grow most" if rising else "Shrink most") + facts.in_unit() + of_each_sector(base.index)
    return f"<div>{table(('technique', '', 'change', 'share'), rows, caption=words, classes=BARS)}</div>"


def _regions(facts: Facts, base: pd.Series) -> str:
    """Activity by the first level of the labels (region, or sector of an expanded table), if all share a unit."""
    result = facts.result
    if not isinstance(result.activity.index, pd.MultiIndex) or not isinstance(result.unit, str):
        return ""
    new = result.activity.groupby(level=0, sort=False).sum()
    old = base.groupby(level=0, sort=False).sum().reindex(new.index).fillna(0.0)
    moved = (new - old).abs().sort_values(ascending=False, kind="stable").head(2 * TOP).index
    largest = float((new - old).abs().max())
    rows: list[Sequence[Cell]] = [
        (
            named(show(region)),
            Markup(svg.signed_bar(float(new[region] - old[region]), largest)),
            facts.amount(float(new[region])),
            change(float(new[region] / old[region])) if old[region] > 0 else "new",
        )
        for region in moved
    ]
    level = str(result.activity.index.names[0] or "group")
    return table(
        (level, "", "activity", "change"),
        rows,
        caption=f"By {level}{facts.in_unit()}, the largest changes",
        classes=BARS,
    )
