"""Prices beside what products embody of labour, energy and emissions."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from . import svg
from .facts import TOP, Facts
from .labels import leading, of_each_sector, records
from .numbers import quantity
from .page import Cell, paragraph, section, table

# A picture of more points shows no more.
_POINTS = 1_500
# Less than this share of the basket's average is as good as free, and has no place on a logarithmic axis.
_FREE = 1e-3


def compared(facts: Facts) -> pd.DataFrame:
    """Prices and contents by product, each with the basket of the targets at 1 on average; products that have both."""
    result, contents = facts.result, facts.contents
    basket = np.maximum(result.targets.to_numpy(float), 0.0)
    if contents.empty or not basket.any() or not (result.prices > 0).any():
        return pd.DataFrame()
    relative = {"price": result.normalised_prices().to_numpy(float)}
    for name in contents.columns:
        column = contents[name].to_numpy(float)
        worth = float(np.nansum(column * basket))
        if worth > 0:
            relative[str(name)] = column * (basket.sum() / worth)
    table = pd.DataFrame(relative, contents.index)
    if table.shape[1] < 2:
        return pd.DataFrame()
    index = contents.index
    goods = index.get_level_values("account") == "product" if "account" in index.names else np.full(len(index), True)
    return table[goods & (table > _FREE).all(axis=1).to_numpy()]


def values(facts: Facts) -> str:
    """The picture of prices against labour values (or the first content there is), and where they part most."""
    if not facts.made:
        return ""
    found = compared(facts)
    if len(found) < 3:
        return ""
    first = str(found.columns[1])
    ratio = found["price"] / found[first]
    step = max(1, len(found) // _POINTS)
    points = list(
        zip(found[first].to_numpy()[::step].tolist(), found["price"].to_numpy()[::step].tolist(), strict=True)
    )
    chart = svg.log_scatter(points, f"{first} content", "price", "Prices against contents; on the line both are equal")
    spread = np.corrcoef(np.log(found["price"]), np.log(found[first]))[0, 1]
    text = (
        f"What a product embodies of {first} through the whole chain of its inputs, beside its price. Above the line, "
        f"something other than {first} makes it dear. Correlation of the logarithms: {spread:.3f}."
    )
    parts = [
        _apart(facts, found, ratio.sort_values(ascending=ascending, kind="stable"), word)
        for word, ascending in (("Dearest against", False), ("Cheapest against", True))
    ]
    return section(
        "Prices beside values",
        paragraph(text),
        chart,
        f"<div class='pair'>{''.join(part.replace('FIRST', first) for part in parts)}</div>",
    )


def _apart(facts: Facts, found: pd.DataFrame, ordered: pd.Series, word: str) -> str:
    top = leading(ordered, TOP)
    rows: list[Sequence[Cell]] = [
        (facts.name(key), *(quantity(float(row[name]), digits=3) for name in found.columns))
        for key, row in records(found.loc[top.index])
    ]
    head = ("product", *(str(name) for name in found.columns))
    caption = f"{word} its {found.columns[1]} content{of_each_sector(found.index)}"
    return f"<div>{table(head, rows, caption=caption)}</div>"
