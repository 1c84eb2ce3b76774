"""From an economy to the statements that describe it; what they cannot say is refused, never left out."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp

from ...errors import ProblemError
from ..economy import Economy
from ..labels import show
from .statements import Bound, Label, Named, Statements, Technique, Term


def collect(eco: Economy) -> Statements:
    """The statements of an economy; ProblemError naming what they cannot hold and what to do."""
    _check_plain(eco)
    products, techniques = _labels(eco.products, "product"), _labels(eco.techniques, "technique")
    indicators = [_text(label, "indicator") for label in eco.indicators]
    clash = set(map(show, products)) & set(indicators)
    if clash:
        raise ProblemError(f"{eco.name!r}: {min(clash)!r} is a product and an indicator; rename one of them")
    units = [eco.unit] * len(products) if isinstance(eco.unit, str) else [str(unit) for unit in eco.unit]
    titles: list[Any] = [None] * len(products) if eco.product_names is None else list(eco.product_names)
    said = Statements("", eco.name, eco.year, eco.licence, list(eco.notes))
    if eco.products.nlevels > 1 and any(name is not None for name in eco.products.names):
        said.levels = tuple(_text(name, "name of a level") for name in eco.products.names)
    said.goods = [
        Named(label, unit or None, "", None if title is None or title == show(label) else str(title))
        for label, unit, title in zip(products, units, titles, strict=True)
    ]
    said.factors = [_factor(eco, indicator) for indicator in indicators]
    said.techniques = _techniques(eco, products, techniques, indicators)
    for j, category in enumerate(_labels(eco.final_demand.columns, "demand category")):
        column = eco.final_demand.to_numpy()[:, j]
        said.targets += [(category, _term(products[i], column[i])) for i in np.flatnonzero(column).tolist()]
        if not column.any():
            raise ProblemError(f"{eco.name!r}: the demand {show(category)!r} is empty; leave it out before writing")
    for indicator, (least, most) in eco.limits.items():
        said.limits += [Bound("at least", _term(indicator, least))] if np.isfinite(least) else []
        said.limits += [Bound("at most", _term(indicator, most))] if np.isfinite(most) else []
    return said


def _check_plain(eco: Economy) -> None:
    if len(eco.technologies) > 1:
        raise ProblemError(
            f"{eco.name!r}: holds the technologies {', '.join(eco.technologies)}, the form holds one; write "
            "eco.replace(technologies={}, technology=None, demand_technology={}, total_categories={})"
        )
    if eco.demand_technology or eco.total_categories or eco.technology is not None:
        raise ProblemError(
            f"{eco.name!r}: its demand belongs to a technology, which this form cannot say; save_economy can"
        )
    if eco.products.nlevels > 1 and list(eco.products.names) != list(eco.techniques.names):
        raise ProblemError(
            f"{eco.name!r}: the levels of its products are called {list(eco.products.names)}, those of its techniques "
            f"{list(eco.techniques.names)}; the form has one list of names for both, call them alike"
        )
    if eco.expansion is not None:
        raise ProblemError(f"{eco.name!r}: an expanded economy remembers its sectors; save_economy writes that")


def _techniques(eco: Economy, products: list[Label], labels: list[Label], indicators: list[str]) -> list[Technique]:
    made, used = sp.csc_array(eco.output_coefficients), sp.csc_array(eco.input_coefficients)
    needs, x = sp.csc_array(eco.intensity_matrix), eco.activity.to_numpy()
    assert eco.capacities is not None  # the economy fills them in
    bounds = eco.capacities.to_numpy()
    out = []
    for j, label in enumerate(labels):
        one = Technique(label, "")
        for terms, table, rows in ((one.inputs, used, products), (one.outputs, made, products),
                                   (one.inputs, needs, indicators)):  # fmt: skip
            for k in range(table.indptr[j], table.indptr[j + 1]):
                terms.append(_term(rows[table.indices[k]], table.data[k]))
        if not one.outputs:
            raise ProblemError(f"{eco.name!r}: technique {show(label)!r} makes nothing; leave it out before writing")
        one.capacity = float(bounds[j]) if np.isfinite(bounds[j]) else None
        if x[j] < 0:  # official tables have such, of used goods for one
            raise ProblemError(
                f"{eco.name!r}: the activity of {show(eco.techniques[j])!r} is {float(x[j])!r}, and these forms "
                "know none below zero; use kantor.data.saved.save_economy"
            )
        one.activity = float(x[j]) if x[j] else None
        out.append(one)
    return out


def _factor(eco: Economy, indicator: str) -> Named:
    assert eco.indicator_units is not None  # the economy fills them in
    also = tuple(alias for alias, name in eco.aliases.items() if name == indicator)
    base = None if eco.reference_use is None else float(eco.reference_use[indicator])
    if base is not None and base < 0:
        raise ProblemError(
            f"{eco.name!r}: the use of {indicator!r} that percentages refer to is {base!r}, and these forms know no "
            "base below zero; use kantor.data.saved.save_economy"
        )
    return Named(indicator, str(eco.indicator_units[indicator]) or None, "", also=also, base=base)


def _term(label: Label, amount: float) -> Term:
    return Term(label, float(amount), None, "")


def _labels(index: pd.Index, what: str) -> list[Label]:
    return [
        tuple(_text(part, what) for part in label) if isinstance(label, tuple) else _text(label, what)
        for label in index
    ]


def _text(label: Any, what: str) -> str:
    if not isinstance(label, str) or not label.strip() or label != " ".join(label.split()):
        raise ProblemError(
            f"{what} {label!r} is no plain text; these forms hold texts without blanks at their ends, save_economy "
            "all labels"
        )
    return label
