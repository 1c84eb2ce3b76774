"""Indicators made of others: energy in total, biodiversity pressure of land in use, skilled and unskilled labour."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import scipy.sparse as sp

from ..errors import ProblemError
from .sparse_table import SparseTable

if TYPE_CHECKING:
    from .economy import Economy


def add_indicator(eco: Economy, name: str, of: Mapping[str, float], unit: str = "") -> Economy:
    """A copy with one more indicator, a weighted sum of others: ``sum_k of[k] S_k``.

    Parameters
    ----------
    name : of the new indicator
    of : indicator or alias -> weight, in ``unit`` per unit of that indicator; say land use of each kind with the
        species lost on a hectare of it for a year
    unit : of the new indicator

    Raises ProblemError if the name is taken, an indicator unknown, or a weight is no finite number.

    >>> from kantor import Economy
    >>> eco = Economy.from_arrays(input=[[0.0]], intensities=[[2.0], [1.0]], products=["grain"],
    ...                           indicators=["cropland", "pasture"])
    >>> eco = add_indicator(eco, "species loss", {"cropland": 0.5, "pasture": 0.25}, "1e-12 species a")
    >>> eco.indicator("species loss").to_dict()
    {'grain': 1.25}
    """
    if name in eco.indicators or name in eco.aliases:
        raise ProblemError(f"indicator {name!r}: the economy has one of that name already")
    if not of:
        raise ProblemError(f"indicator {name!r}: made of nothing, expected indicators with their weights")
    weights = np.array(list(of.values()), np.float64)
    if not np.isfinite(weights).all():
        wrong = next(iter(k for k, w in zip(of, weights, strict=True) if not np.isfinite(w)))
        raise ProblemError(f"indicator {name!r}: {wrong!r} has weight {of[wrong]!r}, expected a finite number")
    of = eco.by_indicator(of)
    row = sp.csr_array(weights[None, :]) @ eco.use_of(of)
    names = pd.Index([*eco.indicators, name], dtype=object, name=eco.indicators.name)
    units = [] if eco.indicator_units is None else eco.indicator_units.tolist()
    changes = {}
    if eco.reference_use is not None:
        use = float(weights @ eco.reference_use[list(of)].to_numpy())
        changes["reference_use"] = pd.Series([*eco.reference_use, use], names)
    return eco.replace(
        intensities=SparseTable(names, eco.techniques, sp.csr_array(sp.vstack([eco.intensity_matrix, row]))),
        indicator_units=pd.Series([*units, unit], names, dtype=object),
        **changes,
    )
