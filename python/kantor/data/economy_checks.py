"""The parts of an economy checked and put into their forms when it is made; ``put`` sets a field."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ..errors import ProblemError, suggest
from .labels import aligned, as_index, fold, numbers, positions, show
from .matrix import as_csr, as_frame
from .sparse_table import Intensities, as_sparse_table

if TYPE_CHECKING:
    from .economy import Economy


def check_technologies(eco: Economy, put: Any) -> None:
    """Alternative tables of input coefficients, the one in use among them."""
    tables = {}
    for name, table in eco.technologies.items():
        active = name == eco.technology
        tables[name] = (
            eco.input_coefficients if active else as_csr(table, eco.products, eco.techniques, f"technology {name!r}")
        )
    if eco.technology is not None and eco.technology not in tables:
        tables[eco.technology] = eco.input_coefficients
    put("technologies", tables)


def check_frames(eco: Economy, put: Any) -> None:
    """Intensities, final demand, and all that goes by the names of indicators."""
    put("intensities", as_sparse_table(Intensities.kept(eco), eco.techniques, "intensities"))
    put("final_demand", as_frame(eco.final_demand, eco.products, None, "final demand"))
    units = eco.indicator_units
    if units is None:
        units = pd.Series("", index=eco.indicators, dtype=object)
    elif not units.index.equals(eco.indicators):
        at = positions(as_index(units.index, "indicator_units"), eco.indicators, "indicator_units", "indicators")
        units = pd.Series(units.to_numpy()[np.argsort(at)], index=eco.indicators)
    put("indicator_units", units)
    for alias, indicator in eco.aliases.items():
        if indicator not in eco.indicators:
            raise ProblemError(
                f"alias {alias!r} stands for {indicator!r}, which is no indicator" + suggest(indicator, eco.indicators)
            )
    if eco.reference_use is not None:
        names = eco.indicators
        put("reference_use", pd.Series(aligned(eco.reference_use, names, "reference use", "indicators"), names))
    put("aliases", {fold(alias): indicator for alias, indicator in eco.aliases.items()})
    if not isinstance(eco.limits, Mapping):
        raise ProblemError(f"limits: got {type(eco.limits).__name__}, expected a mapping of indicators to pairs")
    put("limits", {name: _sides(name, sides) for name, sides in eco.by_indicator(eco.limits).items()})


def check_series(eco: Economy, put: Any) -> None:
    """Activity, capacities, units and names, each in the order of its labels."""
    put("activity", pd.Series(aligned(eco.activity, eco.techniques, "activity"), eco.techniques, name="activity"))
    if eco.capacities is None:
        bounds = np.full(eco.n_techniques, np.inf)
    else:
        bounds = numbers(eco.capacities, "capacities").copy()
        if isinstance(eco.capacities, pd.Series) and not eco.capacities.index.equals(eco.techniques):
            at = positions(as_index(eco.capacities.index, "capacities"), eco.techniques, "capacities", "techniques")
            bounds = bounds[np.argsort(at)]
        if bounds.shape != (eco.n_techniques,):
            raise ProblemError(f"capacities: shape {bounds.shape}, expected ({eco.n_techniques},)")
    bad = np.flatnonzero(~(bounds >= 0))
    if bad.size:
        j = int(bad[0])
        raise ProblemError(f"capacities: {show(eco.techniques[j])!r} is {float(bounds[j])!r}, expected >= 0 or inf")
    put("capacities", pd.Series(bounds, eco.techniques, name="capacity"))
    for name in ("unit", "product_names"):
        value = getattr(eco, name)
        if isinstance(value, pd.Series) and not value.index.equals(eco.products):
            at = positions(as_index(value.index, name), eco.products, name, "products")
            put(name, pd.Series(value.to_numpy()[np.argsort(at)], index=eco.products, name=value.name))


def _sides(name: str, sides: Any) -> tuple[float, float]:
    """The least and the most of an indicator that an economy has, checked."""
    try:
        least, most = sides
        if any(isinstance(side, bool | str) for side in (least, most)):
            raise TypeError
        least, most = float(least), float(most)
    except (TypeError, ValueError):
        raise ProblemError(f"limits: {name!r} is {sides!r}, expected a pair of numbers (least, most)") from None
    if not least <= most or least == np.inf or most == -np.inf:
        raise ProblemError(f"limits: {name!r} is ({least!r}, {most!r}), expected least <= most")
    return least, most
