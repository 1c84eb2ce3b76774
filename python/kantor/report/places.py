"""Trade between regions, and which techniques a plan switches on and off."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import numpy as np
import pandas as pd

from .facts import SAME, TOP, Facts
from .labels import entries, leading
from .numbers import amount, counted, percent
from .page import Cell, named, paragraph, section, shortened, table

_REGIONS = 60


def trade(facts: Facts) -> str:
    """What each region gives to each other one: a matrix, shaded by size, and the largest flows as a list."""
    flows = facts.flows
    if flows is None or "region" not in flows.eco.products.names:
        return ""
    matrix = flows.between("region")
    outside = matrix.to_numpy().copy()
    np.fill_diagonal(outside, 0.0)
    if len(matrix) < 2 or not (outside > 0).any():
        return ""
    unit = facts.result.unit if isinstance(facts.result.unit, str) else ""
    kept = matrix.index[np.argsort(-(outside.sum(0) + outside.sum(1)), kind="stable")[:_REGIONS]]
    shown = pd.DataFrame(outside, matrix.index, matrix.columns).loc[kept, kept]
    words = (
        "Worth, at the plan's prices, of what a region (row) gives to the making of products in another (column), "
        "shipped goods among it"
    )
    words += f", in {unit}" if unit else ""
    flat = shown.to_numpy().ravel()
    top = np.argsort(-flat, kind="stable")[:TOP]
    pairs = [(kept[k // len(kept)], kept[k % len(kept)], float(flat[k])) for k in top.tolist() if flat[k] > 0]
    total = float(outside.sum())
    rows: list[Sequence[Cell]] = [
        (named(f"{source} to {target}"), amount(value, unit), percent(value / total)) for source, target, value in pairs
    ]
    listed = table(
        ("flow", "worth", "of all trade"), rows, caption=f"The largest flows{', in ' + unit if unit else ''}"
    )
    return section("Trade", paragraph(words + "."), listed, _heat(shown, unit))


def _heat(shown: pd.DataFrame, unit: str) -> str:
    values = shown.to_numpy()
    positive = values[values > 0]
    steps = np.quantile(positive, [0.5, 0.75, 0.9, 0.97]) if positive.size else np.zeros(4)
    head = "".join(f"<th scope='col' class='num'>{escape(shortened(str(c), 24))}</th>" for c in shown.columns)
    body = []
    for name, line in zip(shown.index, values, strict=True):
        cells = []
        for value in line.tolist():
            step = int(np.searchsorted(steps, value, side="right")) if value > 0 else 0
            kind = f"num h{step}" if step else "num"
            cells.append(f"<td class='{kind}'>{amount(value, unit, 3) if value > 0 else '·'}</td>")
        body.append(f"<tr><th scope='row'>{escape(shortened(str(name), 24))}</th>{''.join(cells)}</tr>")
    caption = "From the row to the column; darker is more (steps at the median, 75, 90 and 97 % of all flows)"
    folded = counted(len(shown), "region")
    return (
        f"<details{' open' if len(shown) <= 12 else ''}><summary>The whole matrix, {folded}</summary>"
        "<div class='scroll' tabindex='0' role='group' aria-label='Trade matrix'>"
        f"<table class='heat'><caption><span>{caption}</span></caption><thead><tr>"
        "<th scope='col'>from \N{RIGHTWARDS ARROW} to</th>"
        f"{head}</tr></thead><tbody>{''.join(body)}</tbody></table></div></details>"
    )


def techniques(facts: Facts) -> str:
    """Techniques that run in the plan and not in the base, and the other way round."""
    result, base = facts.result, facts.result.base
    if base is None or not facts.made:
        return ""
    plan = result.activity.to_numpy(float)
    old = base.reindex(result.activity.index).fillna(0.0).to_numpy(float)
    size = max(float(np.abs(plan).max(initial=0.0)), float(np.abs(old).max(initial=0.0)))
    small = SAME * size
    on, off = (plan > small) & (old <= 0), (old > small) & (plan <= small * SAME)
    if len(result.activity) == len(result.prices) and not on.any() and not off.any():
        return ""
    running = int((plan > small * SAME).sum())
    started, stopped = int(on.sum()), int(off.sum())
    text = (
        f"Of {counted(len(plan), 'technique')} {running:,} run. {counted(started, 'technique')} that the base does not "
        f"run {'is' if started == 1 else 'are'} switched on, {stopped:,} that it runs switched off."
    )
    parts = [_switched(facts, title, mask, values) for title, mask, values in (
        ("Switched on, by activity", on, plan), ("Switched off, by activity in the base", off, old)
    )]  # fmt: skip
    return section("Techniques on and off", paragraph(text), f"<div class='pair'>{''.join(parts)}</div>")


def _switched(facts: Facts, title: str, mask: np.ndarray, values: np.ndarray) -> str:
    if not mask.any():
        return ""
    found = pd.Series(values[mask], facts.result.activity.index[mask]).sort_values(ascending=False, kind="stable")
    rows: list[Sequence[Cell]] = [(facts.name(key), facts.amount(value)) for key, value in entries(leading(found, TOP))]
    return f"<div>{table(('technique', 'activity'), rows, caption=title + facts.in_unit())}</div>"
