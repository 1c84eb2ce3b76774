"""Splitting one sector into parts so that the table stays in balance.

The parts share the sector's output. Each flow into or out of the sector is divided among them: by their shares, or by
reported inputs and uses, which are first balanced (RAS) to the sector's own flows and the parts' outputs. So adding the
parts up again gives the old table, and every part's output is what others buy of it (Wolsky 1984, Review of Economics
and Statistics 66, 283-291; Lindner, Legault and Guan 2012, Economic Systems Research 24, 329-347).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import scipy.sparse as sp

from ..errors import ProblemError
from .labels import as_index, position, show
from .matrix import per_unit

if TYPE_CHECKING:
    from .economy import Economy


def split(
    eco: Economy,
    sector: Any,
    parts: Mapping[Any, float] | pd.Series,
    *,
    inputs: pd.DataFrame | None = None,
    uses: pd.DataFrame | None = None,
    intensities: pd.DataFrame | None = None,
) -> Economy:
    """A square economy in which ``sector`` is divided into parts, in balance where the old one was.

    Parameters
    ----------
    eco : square economy with one technology table in use; others are dropped, with a note
    sector : label of the product
    parts : label of each part -> its share of the sector's output; positive, they are divided by their sum. In tables
        of several levels a label that is no tuple replaces the last level of the sector's label
    inputs : what is known of the inputs of the parts: suppliers x parts, in proportion; suppliers that are left out are
        divided by the shares. Balanced to the sector's inputs and to each part's share of their sum
    uses : the same for their sales: parts x buyers, buyers being products and categories of demand
    intensities : indicators x parts, relative to each other; totals are kept. Left out: all parts like the sector

    Raises ProblemError if the economy is not square, for unknown labels, shares that are not positive, or reported
    inputs and uses that cannot be balanced.

    >>> from kantor.data.economy import Economy
    >>> eco = Economy.from_iot(Z=[[20.0, 5.0], [10.0, 40.0]], Y=[25.0, 50.0], labels=["grain", "iron"])
    >>> fine = split(eco, "grain", {"wheat": 0.75, "rye": 0.25})
    >>> fine.x.to_dict(), fine.A.toarray()[2].tolist()
    ({'wheat': 37.5, 'rye': 12.5, 'iron': 100.0}, [0.2, 0.2, 0.4])
    """
    if not eco.is_square:
        raise ProblemError(f"split: {eco.name!r} is not square; a sector needs a technique of its own")
    at = position(sector, eco.products)
    if at is None:
        raise ProblemError(f"sector: {show(sector)!r} is none of the products")
    labels, share = _parts(eco, at, parts)
    Z = _flows(eco, at, labels, share, inputs, uses)
    order = np.concatenate([np.arange(at), np.full(len(labels), at), np.arange(at + 1, eco.n_goods)])
    own = np.zeros(order.size, dtype=bool)
    own[at : at + len(labels)] = True
    weight = np.ones(order.size)
    weight[own] = share
    products = _insert(eco.products, at, labels)
    x = eco.activity.to_numpy()[order] * weight
    S = eco.intensities.to_numpy()[:, order].copy()
    if intensities is not None:
        S[:, own] = _intensities(eco, at, labels, share, intensities)
    assert eco.capacities is not None  # the economy fills them in
    notes = [*eco.notes, f"{show(sector)!r} was split into {len(labels)} parts"]
    if len(eco.technologies) > 1:
        notes.append(f"technology {eco.technology!r} was split; the other tables were dropped")
    A, Y = per_unit(sp.csr_array(Z[:, : order.size]), x), Z[:, order.size :].toarray()
    return eco.replace(
        name=f"{eco.name}, {show(sector)} split",
        products=products,
        techniques=products,
        output_coefficients=sp.eye_array(order.size, format="csr"),
        input_coefficients=A,
        technologies={},
        intensities=pd.DataFrame(S, eco.indicators, products),
        final_demand=pd.DataFrame(Y, products, eco.final_demand.columns),
        activity=pd.Series(x, products),
        capacities=pd.Series(eco.capacities.to_numpy()[order] * weight, products),
        unit=eco.unit if isinstance(eco.unit, str) else pd.Series(eco.unit.to_numpy()[order], products),
        product_names=None,
        expansion=None,
        notes=notes,
    )


def _parts(eco: Economy, at: int, parts: Any) -> tuple[list[Any], np.ndarray]:
    """Labels and shares of the parts."""
    names = list(parts.keys())
    share = np.array([float(parts[name]) for name in names])
    if len(names) < 1 or not (np.isfinite(share).all() and (share > 0.0).all()):
        raise ProblemError(f"parts: {dict(parts)!r}, expected a positive share for each part")
    old = eco.products[at]
    labels = [name if isinstance(name, tuple) or not isinstance(old, tuple) else (*old[:-1], name) for name in names]
    rest = eco.products.delete(at)
    taken = [label for label in labels if label in rest]
    if taken:
        raise ProblemError(f"parts: {show(taken[0])!r} is the label of another product")
    as_index(labels, "parts")
    return labels, share / share.sum()


def _insert(products: pd.Index, at: int, labels: list[Any]) -> pd.Index:
    every = [*products[:at], *labels, *products[at + 1 :]]
    if isinstance(products, pd.MultiIndex):
        return pd.MultiIndex.from_tuples(every, names=products.names)
    return pd.Index(every, name=products.name)


def _flows(eco: Economy, at: int, labels: list[Any], share: np.ndarray, inputs: Any, uses: Any) -> sp.csr_array:
    """[Z Y] of the split table: products x (products, categories)."""
    n, p, x = eco.n_goods, len(labels), eco.activity.to_numpy()
    A = eco.input_coefficients
    Z = sp.csr_array((A.data * x[A.indices], A.indices, A.indptr), shape=A.shape)
    Y = sp.csr_array(eco.final_demand.to_numpy())
    bought = Z[:, [at]].toarray().ravel()
    sold = np.concatenate([Z[[at], :].toarray().ravel(), eco.final_demand.to_numpy()[at]])
    buyers = [*eco.products, *eco.final_demand.columns]
    into = _divide(bought, share, inputs, list(eco.products), labels, "inputs")
    out = _divide(sold, share, None if uses is None else uses.T, buyers, labels, "uses").T
    # What the parts sell to each other: by what each sells to the sector and what each buys of it.
    own = bought[at]
    among = np.outer(out[:, at], into[at]) / own if own != 0.0 else np.zeros((p, p))
    others: np.ndarray = np.delete(np.arange(n), at)
    rest = sp.block_array(
        [[Z[others][:, others[:at]], sp.csr_array(into[others]), Z[others][:, others[at:]], Y[others]]], format="csr"
    )
    after: np.ndarray = np.delete(np.arange(out.shape[1]), at)
    parts = sp.csr_array(np.hstack([out[:, after[:at]], among, out[:, after[at:]]]))
    return sp.csr_array(sp.vstack([rest[:at], parts, rest[at:]], format="csr"))


def _divide(
    amounts: np.ndarray, share: np.ndarray, known: Any, labels: list[Any], parts: list[Any], what: str
) -> np.ndarray:
    """amounts x parts: rows add up to ``amounts``, columns to the shares of their sum."""
    table = np.outer(amounts, share)
    if known is None:
        return table
    from .balancing.table import balance_table

    names = [part[-1] if isinstance(part, tuple) else part for part in parts]
    if not isinstance(known, pd.DataFrame) or sorted(map(str, known.columns)) not in (
        sorted(map(str, names)),
        sorted(map(str, parts)),
    ):
        raise ProblemError(f"{what}: expected a DataFrame with one entry for each part, {[show(n) for n in names]}")
    known = known[parts] if set(known.columns) == set(parts) else known[names]
    values = known.to_numpy(dtype=float)
    if not (np.isfinite(values).all() and (values >= 0.0).all() and (values.sum(axis=1) > 0.0).all()):
        raise ProblemError(f"{what}: expected amounts >= 0, and one above 0 for each of {known.shape[0]} labels")
    for label, row in zip(known.index, values, strict=True):
        if label not in labels:
            raise ProblemError(f"{what}: {show(label)!r} is none of the labels")
        k = labels.index(label)
        table[k] = amounts[k] * row / row.sum()
    found = balance_table(table, amounts, share * amounts.sum())
    found.raise_for_status()
    return np.asarray(found.table)


def _intensities(eco: Economy, at: int, labels: list[Any], share: np.ndarray, known: pd.DataFrame) -> np.ndarray:
    """Intensities of the parts: relative ones scaled so that the totals stay."""
    S = np.repeat(eco.intensities.to_numpy()[:, [at]], len(labels), axis=1)
    names = [label[-1] if isinstance(label, tuple) else label for label in labels]
    for indicator in known.index:
        row = eco.indicators.get_loc(eco.indicator_name(indicator))
        values = known.loc[indicator].reindex(names).to_numpy(dtype=float)
        if not (np.isfinite(values).all() and values @ share != 0.0):
            raise ProblemError(f"intensities: {show(indicator)!r}: expected a finite number for each part, not all 0")
        S[row] *= values / (values @ share)
    return S
