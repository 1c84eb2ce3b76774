"""An economy in a few lines of text."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from .labels import show_some

if TYPE_CHECKING:
    from .economy import Economy


def describe(eco: Economy) -> str:
    """A few lines of text: size, units, indicators, demand categories, technologies, notes, licence."""
    n, m, nnz = eco.n_goods, eco.n_techniques, eco.input_coefficients.nnz
    lines = [repr(eco), f"inputs    {nnz:,} of {n * m:,} cells ({100 * nnz / (n * m):.2g} %)"]
    unit = eco.unit if isinstance(eco.unit, str) else show_some(pd.unique(eco.unit), 4)
    lines.append(f"unit      {unit or 'not given'}")
    named = {target: alias for alias, target in reversed(eco.aliases.items())}
    texts = []
    for label, its_unit in eco.indicator_units.items() if eco.indicator_units is not None else ():
        alias = f" = {named[label]}" if label in named else ""
        texts.append(f"{label}{alias}" + (f" [{its_unit}]" if its_unit else ""))
    lines.append("uses      " + (", ".join(texts) or "none"))
    lines.append("demand    " + (show_some(eco.final_demand.columns, 8) or "none"))
    if len(eco.technologies) > 1:
        lines.append(f"tables    {', '.join(eco.technologies)}; in use: {eco.technology}")
    finite = int(np.isfinite(eco.capacities).sum()) if eco.capacities is not None else 0
    if finite:
        lines.append(f"capacity  {finite:,} of {m:,} techniques are bounded")
    lines += [f"note      {note}" for note in eco.notes]
    if eco.licence:
        lines.append(f"licence   {eco.licence}")
    return "\n".join(lines)
