"""Labels of an economy as scenario files write them."""

from __future__ import annotations

from typing import Any

import pandas as pd

from ..data.labels import show
from ..errors import ProblemError, suggest


def find_label(text: str, labels: pd.Index, where: str) -> Any:
    """The label written as ``text``: itself, its number, or for several levels "region / sector"."""
    if labels.nlevels == 1:
        if text in labels:
            return text
        if text.lstrip("-").isdigit() and pd.api.types.is_integer_dtype(labels.dtype) and int(text) in labels:
            return int(text)
    else:
        parts = tuple(part.strip() for part in text.split("/"))
        if len(parts) == labels.nlevels and parts in labels:
            return parts
    nearest = suggest(text, [show(label) for label in labels[:5000]])
    raise ProblemError(f"{where}: unknown label {text!r}{nearest}")


def labelled(values: dict[str, Any], labels: pd.Index, where: str) -> pd.Series:
    """Numbers by label; labels not named are left out."""
    at = [find_label(text, labels, where) for text in values]
    return pd.Series(list(values.values()), index=_like(at, labels), dtype="float64")


def by_label(table: pd.DataFrame, rows: pd.Index, where: str, columns: pd.Index | None = None) -> pd.DataFrame:
    """A table over all of ``rows``, zero where it names none of them; its columns are years, or labels likewise."""
    found = table.set_axis(_like([find_label(show(label), rows, where) for label in table.index], rows), axis=0)
    if columns is None:
        found = found.set_axis([year_of(label, where) for label in found.columns], axis=1)
        return found.reindex(index=rows, fill_value=0.0)
    at = [find_label(show(label), columns, where) for label in found.columns]
    return found.set_axis(_like(at, columns), axis=1).reindex(index=rows, columns=columns, fill_value=0.0)


def year_of(label: Any, where: str) -> int:
    """The year that a column or key names."""
    if not str(label).isdigit():
        raise ProblemError(f"{where}: {show(label)!r} is no year")
    return int(label)


def _like(at: list[Any], labels: pd.Index) -> pd.Index:
    return pd.MultiIndex.from_tuples(at, names=labels.names) if labels.nlevels > 1 and at else pd.Index(at)
