"""Economies from pymrio.IOSystem objects: EXIOBASE, WIOD, EORA, OECD and whatever else pymrio parses.

The object is only read, by the names pymrio documents (Z, A, x, Y, extensions with F, S, unit); pymrio itself is
not imported, so kantor does not depend on it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from ..errors import ProblemError
from .economy import Economy
from .iot import from_iot
from .labels import aligned, as_index, show
from .matrix import guarded


def from_pymrio(io: Any, *, name: str | None = None, aliases: dict[str, str] | None = None, **about: Any) -> Economy:
    """An economy from a pymrio system, calculated or not.

    Uses A if it is there, else Z and x (x = Z 1 + Y 1 if missing). Every extension becomes indicators: S if it is
    there, else F / x. A stressor of several levels is joined with " / "; a name that two extensions share is
    preceded by that of its extension. Units come along. The uses of households (F_Y) are not techniques and left out.

    Raises ProblemError if the system has neither Z nor A, no Y, or extensions whose columns are not the sectors.

    >>> import pymrio
    >>> from_pymrio(pymrio.load_test()).indicator("Value Added").shape
    (48,)
    """
    Z: Any = getattr(io, "Z", None)
    A: Any = getattr(io, "A", None)
    Y: Any = getattr(io, "Y", None)
    if Z is None and A is None:
        raise ProblemError("from_pymrio: the system has neither Z nor A; parse or load it first")
    if Y is None:
        raise ProblemError("from_pymrio: the system has no final demand Y")
    products = as_index((Z if Z is not None else A).index, "Z rows")
    given = getattr(io, "x", None)
    notes: list[str] = []
    if given is not None:
        x: Any = aligned(given.iloc[:, 0] if isinstance(given, pd.DataFrame) else given, products, "x")
    elif Z is not None:
        x = Z.sum(axis=1).to_numpy() + Y.sum(axis=1).to_numpy()
    else:
        x = None
    table = {"A": A} if A is not None and (Z is None or given is not None) else {"Z": Z}
    eco = from_iot(**table, Y=Y, x=x, labels=products)
    intensities, units, more = _extensions(io, eco)
    if more:
        notes.append(f"uses outside production (F_Y) were left out: {', '.join(more)}")
    return eco.replace(
        name=name or str(getattr(io, "name", None) or "pymrio system"),
        intensities=intensities,
        indicator_units=units,
        unit=_product_units(io, products),
        aliases=aliases or {},
        notes=[*eco.notes, *notes],
        **about,
    )


def _extensions(io: Any, eco: Economy) -> tuple[pd.DataFrame, pd.Series, list[str]]:
    """Intensities and units of all extensions, and the names of those that also hold uses outside production."""
    frames: list[pd.DataFrame] = []
    units: list[str] = []
    elsewhere: list[str] = []
    output = eco.activity.to_numpy()
    taken: set[str] = set()
    for extension in io.get_extensions(data=True):
        S, F = getattr(extension, "S", None), getattr(extension, "F", None)
        table = S if S is not None else F
        if table is None:
            continue
        title = str(getattr(extension, "name", "extension"))
        order = table.columns.get_indexer(eco.techniques)
        if (order < 0).any():
            raise ProblemError(f"extension {title!r}: its columns lack {show(eco.techniques[int(np.argmin(order))])!r}")
        values = table.to_numpy(dtype=np.float64)[:, order]
        labels = [show(label) for label in table.index]
        labels = [label if label not in taken else f"{title}: {label}" for label in labels]
        taken.update(labels)
        frames.append(
            pd.DataFrame(values if S is not None else guarded(values, output), index=labels, columns=eco.techniques)
        )
        units += _units(extension, table)
        if getattr(extension, "F_Y", None) is not None:
            elsewhere.append(title)
    if not frames:
        return eco.intensities, pd.Series([], dtype=object), elsewhere
    joined = pd.concat(frames)
    return joined, pd.Series(units, index=joined.index, dtype=object), elsewhere


def _units(extension: Any, table: pd.DataFrame) -> list[str]:
    unit = getattr(extension, "unit", None)
    if unit is None:
        return [""] * len(table)
    column = unit.iloc[:, 0] if isinstance(unit, pd.DataFrame) else unit
    return [str(value) for value in column.reindex(table.index).fillna("")]


def _product_units(io: Any, products: pd.Index) -> str | pd.Series:
    """One unit if all products share it, else a Series."""
    unit = getattr(io, "unit", None)
    if unit is None:
        return ""
    column = (unit.iloc[:, 0] if isinstance(unit, pd.DataFrame) else unit).reindex(products)
    found = pd.unique(column.dropna())
    if len(found) == 1:
        return str(found[0])
    return pd.Series(column.fillna("").astype(str).to_numpy(), index=products, name="unit")
