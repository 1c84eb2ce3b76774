"""How far the targets are reached in every year and every region of a plan."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from ..planning.result import PlanResult

LEVELS = ("year", "region")


def reached(result: PlanResult, level: str) -> pd.DataFrame:
    """By label of the level: ``least`` and ``mean`` share of its targets that is delivered; empty without that level.

    The mean weighs products by their target's value at the plan's prices, or equally where nothing has a price. Where
    baskets are delivered one by one both are the scale of the basket.
    """
    names = list(result.activity.index.names)
    blank = pd.DataFrame({"least": [], "mean": []})
    if level not in names or level not in result.targets.index.names:
        return blank
    delivered = result.activity[result.activity.index.get_level_values(-1) == "deliver"]
    if len(delivered):
        groups = delivered.index.get_level_values(level)
        scale = pd.Series(delivered.to_numpy(), groups)
        return pd.DataFrame({"least": scale, "mean": scale}) if groups.is_unique else blank
    wanted = result.targets.to_numpy() > 0
    if not wanted.any():
        return blank
    target, made = result.targets.to_numpy()[wanted], result.consumption.to_numpy()[wanted]
    worth = target * result.prices.to_numpy()[wanted]
    groups = result.targets.index.get_level_values(level)[wanted]
    table = pd.DataFrame({"share": made / target, "worth": worth, "got": worth * made / target}, index=groups)
    by = table.groupby(level=0, sort=False)
    sums, plain = by[["worth", "got"]].sum(), by["share"].mean()
    priced = sums["worth"].to_numpy() > 0
    mean = np.where(priced, sums["got"] / sums["worth"].where(priced, 1.0), plain)
    return pd.DataFrame({"least": by["share"].min(), "mean": mean}, index=plain.index)
