"""Aggregation: products and techniques added up into groups, at the activity of the base year.

Flows, final demand and totals of resources are added up, coefficients follow from the sums: with Z = A x^, V = B x^ and
P the groups x products matrix of ones, the aggregate has P Z P', P V P', P Y (Miller and Blair 2009, section 4.9). It
is exact for the base year, and for every demand if the table is lumpable to the groups.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import scipy.sparse as sp

from ..errors import ProblemError, suggest
from .labels import as_index, positions, show
from .matrix import guarded, is_identity, per_unit

if TYPE_CHECKING:
    from .economy import Economy


def aggregate(eco: Economy, groups: Any = None, techniques: Any = None, *, name: str | None = None) -> Economy:
    """An economy of groups of products.

    Parameters
    ----------
    eco : any economy
    groups : the group of every product: a Series or mapping label -> group; a function of the label; the name of an
        index level ("region", "sector"), which becomes the only one; a mapping from names of levels to mappings,
        {"sector": {"Wheat": "Food", ...}}, where labels that are not mentioned stay. None: an expanded economy goes
        back to its sectors
    techniques : the same for techniques, if they are not the products themselves; None: they stay as they are
    name : of the result

    The sums are those of the base year: coefficients are weighted by activity; in groups without activity they are 0,
    and ``notes`` says so. Capacities are added up. Products of one group must have one unit.

    Raises ProblemError for products without a group, unknown labels, groups of unlike units.

    >>> from kantor.data.economy import Economy
    >>> Z = [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0], [7.0, 8.0, 9.0]]
    >>> eco = Economy.from_iot(Z=Z, Y=[4.0, 5.0, 6.0], labels=["a", "b", "c"])
    >>> small = aggregate(eco, {"a": "ab", "b": "ab", "c": "c"})
    >>> small.x.to_dict(), (small.A.toarray() * small.x.to_numpy()).round(9).tolist()
    ({'ab': 30.0, 'c': 30.0}, [[12.0, 9.0], [15.0, 9.0]])
    """
    P = _membership(eco, groups, eco.products, "groups")
    square = eco.techniques is eco.products
    Q = P if square else None if techniques is None else _membership(eco, techniques, eco.techniques, "techniques")
    if square and techniques is not None:
        raise ProblemError("aggregate: in this economy products and techniques are the same; give groups alone")
    scale = np.ones(eco.n_goods)
    if groups is None and eco.expansion is not None and eco.expansion.unit_scale is not None:
        scale = 1.0 / eco.expansion.unit_scale
    unit, product_sum = _units(eco, P), sp.csr_array(P.matrix * scale[None, :])
    x = eco.activity.to_numpy()
    over = sp.eye_array(eco.n_techniques, format="csr") if Q is None else Q.matrix
    to = eco.techniques if Q is None else Q.labels
    # The activity of an expanded economy is counted in the units of its products.
    activity = product_sum @ x if square else over @ x

    def coefficients(table: sp.csr_array) -> sp.csr_array:
        return per_unit(sp.csr_array(product_sum @ _scaled(table, x) @ over.T), activity)

    tables = {key: coefficients(table) for key, table in eco.technologies.items()}
    A = tables[eco.technology] if eco.technology in tables else coefficients(eco.input_coefficients)
    same = square and is_identity(eco.output_coefficients)
    B = sp.eye_array(len(P.labels), format="csr") if same else coefficients(eco.output_coefficients)
    S = guarded(eco.intensities.to_numpy() * x @ over.T, activity)
    demand = pd.DataFrame(product_sum @ eco.final_demand.to_numpy(), P.labels, eco.final_demand.columns)
    notes = [*eco.notes, f"aggregated from {eco.n_goods:,} to {len(P.labels):,} products"]
    idle = int((over @ np.abs(x) == 0.0).sum())
    if idle:
        notes.append(f"{idle} groups without activity have no inputs")
    return eco.replace(
        name=name or f"{eco.name}, {len(P.labels)} groups",
        products=P.labels,
        techniques=P.labels if square else to,
        output_coefficients=B,
        input_coefficients=A,
        technologies=tables,
        intensities=pd.DataFrame(S, eco.indicators, P.labels if square else to),
        final_demand=demand,
        activity=pd.Series(activity, P.labels if square else to),
        capacities=pd.Series(_capacity(eco, over, scale if square else None), P.labels if square else to),
        unit=unit,
        product_names=None,
        expansion=None,
        notes=notes,
    )


class _Groups:
    """labels of the groups, in the order of their first member, and the groups x members matrix of ones."""

    def __init__(self, labels: pd.Index, code: np.ndarray) -> None:
        self.labels = labels
        shape = (len(labels), code.size)
        self.matrix = sp.csr_array((np.ones(code.size), (code, np.arange(code.size))), shape=shape)


def _membership(eco: Economy, groups: Any, index: pd.Index, what: str) -> _Groups:
    if groups is None:
        if eco.expansion is None:
            raise ProblemError(f"aggregate: {eco.name!r} was not expanded; say which products belong together")
        return _Groups(eco.expansion.sectors, eco.expansion.parent)
    if isinstance(groups, str):
        if groups not in index.names:
            raise ProblemError(f"{what}: {groups!r} is no level of the labels" + suggest(groups, index.names))
        found: Any = index.get_level_values(groups)
    elif callable(groups):
        found = as_labels([groups(label) for label in index], index)
    elif isinstance(groups, Mapping) and groups and all(isinstance(value, Mapping) for value in groups.values()):
        found = _by_level(groups, index, what)
    elif isinstance(groups, Mapping | pd.Series):
        series = groups if isinstance(groups, pd.Series) else None
        keys = series.index if series is not None else as_index(list(groups), what)
        values = list(groups.values()) if isinstance(groups, Mapping) else list(groups)
        order = np.argsort(positions(keys, index, what, "economy"))
        found = as_labels([values[k] for k in order], index)
    else:
        raise ProblemError(f"{what}: got {type(groups).__name__}, expected a Series, mapping, function or level name")
    code, labels = pd.factorize(found)
    if (code < 0).any():
        raise ProblemError(f"{what}: {show(index[int(np.argmin(code))])!r} has no group (None or NaN)")
    names = found.names if isinstance(found, pd.Index) else [None]
    return _Groups(as_index(labels, what).set_names(names), code)


def as_labels(values: list[Any], index: pd.Index) -> pd.Index:
    """Group labels; tuples as long as the labels keep the names of their levels."""
    if values and all(isinstance(value, tuple) for value in values):
        names = list(index.names) if all(len(value) == index.nlevels for value in values) else None
        return pd.MultiIndex.from_tuples(values, names=names)
    return pd.Index(values)


def _by_level(groups: Mapping[Any, Mapping[Any, Any]], index: pd.Index, what: str) -> pd.Index:
    levels = []
    for level in groups:
        if level not in index.names:
            raise ProblemError(f"{what}: {show(level)!r} is no level of the labels" + suggest(level, index.names))
    for number, level in enumerate(index.names):
        values = index.get_level_values(number)
        mapping = groups.get(level, {})
        strange = [key for key in mapping if key not in values]
        if strange:
            raise ProblemError(
                f"{what}: {show(strange[0])!r} is no {level}" + suggest(show(strange[0]), values.unique())
            )
        levels.append([mapping.get(value, value) for value in values])
    return pd.Index(levels[0], name=index.names[0]) if index.nlevels == 1 else pd.MultiIndex.from_arrays(
        levels, names=index.names
    )  # fmt: skip


def _units(eco: Economy, groups: _Groups) -> str | pd.Series:
    """The unit of each group, which its products must share."""
    if isinstance(eco.unit, str):
        return eco.unit
    code = np.asarray(groups.matrix.argmax(axis=0)).ravel()
    units = pd.Series(eco.unit.to_numpy()).groupby(code)
    mixed = np.flatnonzero(units.nunique().to_numpy() > 1)
    if mixed.size:
        parts = eco.unit.to_numpy()[code == mixed[0]]
        raise ProblemError(
            f"aggregate: group {show(groups.labels[mixed[0]])!r} holds products in {parts[0]!r} and in "
            f"{next(part for part in parts if part != parts[0])!r}; products of one group need one unit"
        )
    return pd.Series(units.first().to_numpy(), groups.labels)


def _scaled(table: sp.csr_array, x: np.ndarray) -> sp.csr_array:
    """Coefficients times activity: flows."""
    return sp.csr_array((table.data * x[table.indices], table.indices, table.indptr), shape=table.shape)


def _capacity(eco: Economy, over: sp.csr_array, scale: np.ndarray | None) -> np.ndarray:
    assert eco.capacities is not None  # the economy fills them in
    bounds = eco.capacities.to_numpy() * (1.0 if scale is None else scale)
    open_ = np.isinf(bounds)
    total = over @ np.where(open_, 0.0, bounds)
    return np.where(over @ open_.astype(float) > 0.0, np.inf, total)
