"""More techniques for a product, and bounds on what a technique can do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import scipy.sparse as sp

from ..errors import ProblemError, suggest
from .labels import as_index, position, read_mapping, show, show_some
from .sparse_table import SparseTable

if TYPE_CHECKING:
    from .economy import Economy


def add_technique(
    eco: Economy,
    product: Any,
    name: Any,
    inputs: Any,
    intensities: Any = None,
    *,
    capacity: float = np.inf,
    activity: float = 0.0,
    like: Any = None,
) -> Economy:
    """A copy of ``eco`` with one more technique that makes one unit of ``product`` per unit of activity.

    Parameters
    ----------
    product : label of the product made
    name : label of the technique; in a multi-regional table a text takes the product's region
    inputs : dict or Series, product -> units per unit of output; products not named are not used
    intensities : dict or Series, indicator or alias -> use per unit of output; those not named are zero
    capacity : upper bound on its activity
    activity : observed activity of the base year
    like : label of a technique whose inputs and intensities it starts from; those named above replace them

    Raises ProblemError for unknown labels (with the nearest known one), a label already taken, numbers not finite.
    """
    if position(product, eco.products) is None:
        known = [show(label) for label in eco.products[:2000]]
        raise ProblemError(f"product {show(product)!r} is none of the products" + suggest(show(product), known))
    label = (*product[:-1], name) if isinstance(product, tuple) and not isinstance(name, tuple) else name
    if label in eco.techniques:
        raise ProblemError(f"technique {show(label)!r} exists already")
    use, needs = np.zeros(eco.n_goods), np.zeros(len(eco.indicators))
    if like is not None:
        column = position(like, eco.techniques)
        if column is None:
            known = [show(k) for k in eco.techniques[:2000]]
            raise ProblemError(f"like: {show(like)!r} is none of the techniques" + suggest(show(like), known))
        use += sp.csc_array(eco.input_coefficients[:, [column]]).toarray().ravel()
        needs += eco.intensity_matrix[:, [column]].toarray()[:, 0]
    for i, value in read_mapping(inputs, eco.products, "inputs", "products").items():
        use[i] = value
    named = eco.by_indicator({} if intensities is None else dict(intensities))
    for k, value in read_mapping(named, eco.indicators, "intensities", "indicators").items():
        needs[k] = value
    notes = list(eco.notes)
    free = [k for k in eco.indicators if k not in named]
    if free and like is None:
        notes.append(f"technique {show(label)!r} uses no {show_some(free, 8)}: none was given")
    return _append(eco, product, label, use, needs, capacity, activity, notes)


def _append(
    eco: Economy,
    product: Any,
    label: Any,
    use: np.ndarray,
    needs: np.ndarray,
    capacity: float,
    activity: float,
    notes: list[str],
) -> Economy:
    """The economy with the column appended to every table of the technology in use."""
    n = eco.n_goods
    made = np.zeros((n, 1))
    made[position(product, eco.products)] = 1.0
    techniques = as_index([*eco.techniques, label], "techniques")
    if isinstance(techniques, pd.MultiIndex):
        techniques = techniques.set_names(eco.techniques.names)
    table = sp.csr_array(sp.hstack([eco.intensity_matrix, sp.csr_array(needs[:, None])]))
    if len(eco.technologies) > 1:
        notes.append(f"the technique was added to technology {eco.technology!r}; the other tables were dropped")
    return eco.replace(
        techniques=techniques,
        output_coefficients=sp.hstack([eco.output_coefficients, sp.csr_array(made)], format="csr"),
        input_coefficients=sp.hstack([eco.input_coefficients, sp.csr_array(use[:, None])], format="csr"),
        technologies={},
        intensities=SparseTable(eco.indicators, techniques, table),
        activity=pd.Series(np.append(eco.activity.to_numpy(), activity), techniques),
        capacities=pd.Series(np.append(_bounds(eco), capacity), techniques),
        notes=notes,
    )


def _bounds(eco: Economy) -> np.ndarray:
    """A copy of the capacities as an array."""
    return np.full(eco.n_techniques, np.inf) if eco.capacities is None else eco.capacities.to_numpy(copy=True)


def set_capacities(eco: Economy, capacities: Any) -> Economy:
    """A copy of ``eco`` whose techniques named in ``capacities`` (label -> bound, inf for none) have these bounds."""
    bounds = _bounds(eco)
    for j, value in read_mapping(capacities, eco.techniques, "capacities", "techniques").items():
        bounds[j] = value
    return eco.replace(capacities=pd.Series(bounds, eco.techniques))
