"""Economies by region, where their labels say so: what solves of several ranks are divided by."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..backends.world import active

if TYPE_CHECKING:
    from .economy import Economy

Numbers = np.ndarray[Any, Any]

LEVEL = "region"


def region_of_goods(economy: Economy) -> Numbers | None:
    """(goods,) the number of every good's region, in the order in which regions are first met; None without regions."""
    if LEVEL not in economy.products.names:
        return None
    return np.asarray(economy.products.get_level_values(LEVEL).factorize()[0], dtype=np.int64)


def divide_by_region(economy: Economy) -> Numbers | None:
    """Let solves of several ranks keep the goods of a region together; the regions, None if there is nothing to say."""
    world = active()
    regions = None if world is None else region_of_goods(economy)
    if world is not None and regions is not None:
        world.divide_by(regions)
    return regions
