"""Use of limited resources and emissions year by year, against their limits."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from . import svg
from .facts import Facts
from .labels import entries
from .numbers import amount, percent
from .page import Cell, Markup, named, paragraph, section, table

# As many limits get a picture; a table holds all of them.
_PICTURES = 6
_ROWS = 60


@dataclass
class Row:
    """Use and bound of one limit, or of an indicator without one, by year."""

    name: str
    unit: str
    use: dict[int, float]
    bound: dict[int, float]
    binds: set[int]


def by_year(facts: Facts) -> list[Row]:
    """A row for each limit or indicator that a plan over several years has year by year; limited ones first."""
    result = facts.result
    if "year" not in result.activity.index.names:
        return []
    years = sorted({int(year) for year in result.activity.index.get_level_values("year")})
    bounds = {limit.name: limit for limit in result.limits}
    binding = facts.binding if facts.made else set()
    rows: dict[str, Row] = {}
    units = result.use["unit"].to_dict()
    for name, use in entries(result.use["use"]):
        found = _year_in(str(name), years)
        if found is None or not math.isfinite(use):
            continue
        stem, year = found
        row = rows.setdefault(stem, Row(stem, str(units[name]), {}, {}, set()))
        row.use[year] = use
        limit = bounds.get(str(name))
        if limit is not None:
            row.bound[year] = limit.upper if math.isfinite(limit.upper) else limit.lower
            if str(name) in binding:
                row.binds.add(year)
    return sorted((row for row in rows.values() if len(row.use) > 1), key=lambda row: not row.bound)


def resources(facts: Facts) -> str:
    """Columns by year against the bound, and a table of all."""
    rows = by_year(facts)
    if not rows:
        return ""
    total = {limit.indicator for limit in facts.result.limits}
    drawn = [row for row in rows if row.bound or row.name in total][:_PICTURES] or rows[:2]
    pictures = []
    for row in drawn:
        title = f"{row.name}, {row.unit}" if row.unit else row.name
        marks = [row.bound.get(year, math.nan) for year in row.use]
        chart = svg.columns(list(map(str, row.use)), list(row.use.values()), marks, f"{title}, by year", row.unit)
        pictures.append(f"<div><h3>{named(title).html}</h3>{chart}</div>")
    years = sorted({year for row in rows for year in row.use})
    body: list[Sequence[Cell]] = []
    for row in rows[:_ROWS]:
        cells = [_cell(row, year) for year in years]
        body.append((named(row.name), row.unit, *cells))
    head = ("limit or indicator", "unit", *map(str, years))
    note = "Use by year; below it the share of the bound, where there is one"
    if len(rows) > _ROWS:
        note += f". The first {_ROWS} of {len(rows):,}; the table use.parquet has all"
    listed = table(head, body, caption=note, classes=("name", "unit", *["num"] * len(years)))
    words = "A line marks the bound of a year. Limits on the sum of all years are in the list of limits."
    return section(
        "Resources and emissions by year", paragraph(words), f"<div class='pair'>{''.join(pictures)}</div>", listed
    )


def _cell(row: Row, year: int) -> Cell:
    if year not in row.use:
        return ""
    used, bound = row.use[year], row.bound.get(year)
    text = amount(used, row.unit)
    if not bound:
        return text
    kind = " class='bind'" if year in row.binds else ""
    return Markup(f"{text}<br><small{kind}>{percent(used / bound)}{', binds' if year in row.binds else ''}</small>")


def _year_in(name: str, years: list[int]) -> tuple[str, int] | None:
    """The name without its year, and the year.

    >>> _year_in("ghg 2013", [2013]), _year_in("labour 2013 in AUS", [2013]), _year_in("ghg", [2013])
    (('ghg', 2013), ('labour in AUS', 2013), None)
    """
    words: list[Any] = name.split(" ")
    for at in range(len(words) - 1, 0, -1):
        if words[at].isdigit() and int(words[at]) in years:
            return " ".join([*words[:at], *words[at + 1 :]]), int(words[at])
    return None
