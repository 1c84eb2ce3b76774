"""The plan in a few sentences: what it achieves, what binds, what grows, what it takes, what proves it."""

from __future__ import annotations

import math
from html import escape
from typing import Any

import numpy as np
import pandas as pd

from .facts import SAME, Facts
from .labels import entries, leading, records
from .numbers import change, counted, exact, percent, quantity
from .page import named, section

_SOME = 3
_BASE = " The base is all targets met in full with the base year's technology."


def overview(facts: Facts) -> str:
    """Sentences that a first reader needs; the sections below have the numbers behind them."""
    if not facts.made:
        return ""
    found = [_reach(facts), _binding(facts), _building(facts), _growing(facts), _taking(facts), _dearest(facts)]
    items = "".join(f"<li>{sentence}</li>" for sentence in [*found, _proof(facts)] if sentence)
    return section("In short", f"<div class='short'><ul>{items}</ul></div>")


def _reach(facts: Facts) -> str:
    result = facts.result
    target, got = result.targets.to_numpy(float), result.consumption.to_numpy(float)
    wanted = target > 0
    if not wanted.any():
        return ""
    ratio = got[wanted] / target[wanted]
    if ratio.max() - ratio.min() <= SAME:
        return f"<b>What it achieves:</b> {percent(float(ratio.mean()))} of every one of the {len(ratio):,} targets."
    worth = result.prices.to_numpy(float)[wanted] * target[wanted]
    mean = float(ratio @ worth / worth.sum()) if worth.sum() > 0 else float(ratio.mean())
    least = result.targets.index[np.flatnonzero(wanted)[int(np.argmin(ratio))]]
    words = ""
    if result.objective_kind == "harmony":
        words = " Harmony counts what is missing of a target for more than what is delivered beyond it; "
        words += "0 is every target just met."
    return (
        f"<b>What it achieves:</b> {int((ratio >= 1 - SAME).sum()):,} of {len(ratio):,} targets in full, "
        f"{percent(mean)} of all by value; least served is {facts.name(least).html} with "
        f"{percent(float(ratio.min()))}.{words}"
    )


def _binding(facts: Facts) -> str:
    found = facts.bottlenecks
    if found.empty:
        return "<b>What binds:</b> no limit and no capacity."
    parts = []
    for (kind, name), row in records(found.head(_SOME)):
        words = facts.name(name).html if kind == "capacity" else named(str(name)).html
        gain = float(row["one_more_percent"])
        bound = escape(quantity(float(row["bound"]), str(row["unit"])))
        parts.append(f"{words}, {kind} {bound} (one percent more: {gain:+.3g})")
    more = f" and {len(found) - _SOME:,} more" if len(found) > _SOME else ""
    unit = facts.result.objective_unit
    return (
        f"<b>What binds</b>, the most valuable first: {'; '.join(parts)}{more}. In brackets: what the objective "
        f"({escape(unit)}) would gain if that bound were one percent wider."
    )


def _building(facts: Facts) -> str:
    """Investment of a plan over several years."""
    activity = facts.result.activity
    if "action" not in activity.index.names:
        return ""
    kinds = activity.index.get_level_values("action")
    built = activity[(kinds == "invest") & (activity.to_numpy() > 0)]
    if built.empty:
        return ""
    index: Any = built.index
    by = built.groupby(index.droplevel(["year", "action"])).sum().sort_values(ascending=False, kind="stable")
    parts = [
        f"{named(_built(facts, key)).html} ({escape(facts.amount(value))})" for key, value in entries(by.head(_SOME))
    ]
    return (
        f"<b>What to build</b>, over all years{escape(facts.in_unit())}: {'; '.join(parts)} first of {len(by):,} kinds."
    )


def _growing(facts: Facts) -> str:
    result, base = facts.result, facts.result.base
    if base is None:
        running = int((result.activity.to_numpy() > 0).sum())
        return f"<b>What runs:</b> {running:,} of {counted(len(result.activity), 'technique')}."
    old = base.reindex(result.activity.index).fillna(0.0)
    moved = result.activity - old
    if "action" in moved.index.names:
        moved = moved[moved.index.get_level_values("action") == "run"]
    real = moved[np.abs(moved.to_numpy()) > SAME * np.abs(old.reindex(moved.index).to_numpy())]
    lists = []
    for word, ascending in (("What to expand", False), ("What shrinks", True)):
        side = real[real < 0] if ascending else real[real > 0]
        parts = []
        for key, value in entries(leading(side.sort_values(ascending=ascending, kind="stable"), _SOME)):
            before = float(old[key])
            share = change((before + value) / before) if before > 0 else "new"
            parts.append(f"{facts.name(key).html} {escape(facts.amount(value))} ({share})")
        if parts:
            lists.append(f"<b>{word}</b>{escape(facts.in_unit())}: {'; '.join(parts)}.")
    if lists and "action" not in moved.index.names:
        lists.append("A plan without investment builds nothing: what grows needs the capacity for it.")
    return " ".join(lists)


def _taking(facts: Facts) -> str:
    """Labour, energy and emissions against the base."""
    use, parts = facts.result.use, []
    seen = set()
    for name in [limit.name for limit in facts.result.limits[:4]] + ["labour", "jobs", "energy", "ghg"]:
        if name not in use.index or str(use["indicator"].to_dict()[name]) in seen:
            continue
        row: dict[Any, Any] = use.loc[name].to_dict()
        if not math.isfinite(float(row["use"])):
            continue
        seen.add(str(row["indicator"]))
        against = f" ({change(float(row['use']) / float(row['base']))})" if row["base"] and row["base"] > 0 else ""
        parts.append(f"{named(str(name)).html} {escape(quantity(float(row['use']), str(row['unit'])))}{against}")
    return f"<b>What it costs</b>, and against the base: {'; '.join(parts[:5])}.{_BASE}" if parts else ""


def _dearest(facts: Facts) -> str:
    result = facts.result
    if not (result.prices > 0).any() or not (result.targets > 0).any():
        return ""
    relative: pd.Series = result.normalised_prices()
    wanted = relative[(result.targets > 0) & (relative > 0)]
    top = leading(wanted.sort_values(ascending=False, kind="stable"), 2)
    parts = [f"{facts.name(key).html} ({quantity(value, digits=3)})" for key, value in entries(top)]
    return f"<b>What is dear:</b> {' and '.join(parts)}, where the basket of the targets costs 1 on average."


def _proof(facts: Facts) -> str:
    result = facts.result
    own, other = result.lower_bound, result.upper_bound
    if not (math.isfinite(own) and math.isfinite(other)):
        return "<b>What is proved:</b> nothing; this is the best point found."
    best = exact(other if result.sense == "max" else own)
    word = "more" if result.sense == "max" else "less"
    return (
        f"<b>What is proved:</b> no plan within these limits reaches {word} than {best}; the gap is {result.gap:.1e}."
    )


def _built(facts: Facts, key: Any) -> str:
    """Words for a kind of capital, with the names of the products in its label."""
    parts = [str(part) for part in (key if isinstance(key, tuple) else (key,)) if part != ""]
    names = facts.result.names
    if names is None or "year" not in names.index.names:
        return " / ".join(parts)
    year = names.index.get_level_values("year")[0]
    known: dict[str, str] = {}
    for label, name in zip(names.index, names, strict=True):
        if label[0] == year:
            known[facts.code(label)] = str(name).removesuffix(f", {year}")
    return " / ".join(" ".join(known.get(word, word) for word in part.split(" ")) for part in parts)
