"""Walking over labelled results. An expanded table has many products alike; lists then show one of each sector."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from ..planning.flows import expanded

if TYPE_CHECKING:
    import pandas as pd


def entries(series: pd.Series) -> Iterator[tuple[Any, float]]:
    """(label, number) of every entry."""
    for label, value in zip(series.index, series.to_numpy(float), strict=True):
        yield label, float(value)


def records(frame: pd.DataFrame) -> Iterator[tuple[Any, dict[str, Any]]]:
    """(label, {column: value}) of every row."""
    yield from zip(frame.index, frame.to_dict("records"), strict=True)


def leading(ordered: pd.Series, count: int) -> pd.Series:
    """The first ``count`` entries; of an expanded table the first of each sector, whose products are alike.

    >>> import pandas as pd
    >>> labels = pd.MultiIndex.from_tuples([("steel", 0), ("steel", 1), ("corn", 0)], names=["sector", "product"])
    >>> leading(pd.Series([3.0, 2.0, 1.0], labels), 2).tolist()
    [3.0, 1.0]
    """
    if expanded(ordered.index):
        index: Any = ordered.index
        ordered = ordered.loc[~index.droplevel(-1).duplicated()]
    return ordered.head(count)


def of_each_sector(index: pd.Index) -> str:
    """Words for captions of lists made by :func:`leading`."""
    return ", one product of each sector" if expanded(index) else ""
