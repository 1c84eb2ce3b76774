"""Which activities moved between two plans, and through which chain.

With T_ji the activity of technique j for one unit of product i (:class:`kantor.planning.contributions.Chain`) and
``M = A T``, gross outputs of a plan satisfy ``q = M q + d``, d being consumption and what is left over. So the
difference of two plans has the sources

    s = (d' - d) + (A' - A) T q + A' (T' - T) q,        q' - q = (I - M')^-1 s,        x' - x = T'(q' - q) + (T' - T) q

that is: other final deliveries, other coefficients, other choices of technique, and for a technique itself the switch
to or from it. ``l = (I - M'')^-1 T''_j`` (transposed) says how much technique j moves by a unit of each source; the
chain from the largest source is followed step by step to the supplier that passes most of it on.

Of plans of a common scale the earlier one is first taken to the new scale, x to (t'/t) x: that everything moved with
the scale is said once, and the rest is what moved against it.

Source: Miller and Blair, Input-Output Analysis (2009), chapters 13 (structural decomposition) and 12 (paths).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp

from ..data.labels import show
from ..planning.contributions import Chain
from ..planning.result import PlanResult
from ..solvers.leontief import values
from ..solvers.problem import FloatArray

TARGET, RESPONSE, COEFFICIENT, SWITCH = "target", "deliveries follow", "coefficient", "other technique"
_DIGITS = 1e-8
_LONGEST = 12
COLUMNS = ["before", "after", "change", "with_scale", "own_switch", "cause", "source", "through_source", "chain"]


def moves(before: PlanResult, after: PlanResult, top: int = 10) -> pd.DataFrame:
    """The ``top`` activities that moved most, by worth at the new prices, each with its cause and chain.

    Returns a DataFrame by technique: ``before``, ``after``, ``change``; ``with_scale``: the part of the change that all
    activities share, where the objective is a common scale; the rest is explained: ``own_switch``: how much of it is a
    choice of this technique against others of its product; ``cause``: "target", "deliveries follow" (consumption moves
    with scale or prices though its target did not), "coefficient" or "other technique"; ``source``: the product where
    most of the change comes from, ``through_source``: how much of the change it accounts for; ``chain``: from there to
    the technique, product by product.
    """
    new, old = Chain(after, "moves"), Chain(before, "moves")
    T = _aligned(old.per_unit, old.eco, new.eco)
    A = _placed(old.eco.input_coefficients, old.eco, new.eco)
    q = _vector(old.output, old.eco.products, new.eco.products)
    x = _vector(old.x, old.eco.techniques, new.eco.techniques)
    d = _vector(old.consumption + old.unused, old.eco.products, new.eco.products)
    scale = after.objective / before.objective if _scaled(before, after) else 1.0
    x_then, x, q, d = x, scale * x, scale * q, scale * d
    ran = T @ q
    sources = {
        "final": new.consumption + new.unused - d,
        COEFFICIENT: (new.eco.input_coefficients - A) @ ran,
        SWITCH: new.eco.input_coefficients @ ((new.per_unit - T) @ q),
    }
    asked = _vector(before.targets.to_numpy(np.float64), before.targets.index, after.targets.index)
    moved = np.abs(after.targets.to_numpy(np.float64) - asked) > 1e-12 * np.abs(asked)
    final = sources.pop("final")
    sources = {TARGET: np.where(moved, final, 0.0), RESPONSE: np.where(moved, 0.0, final)} | sources
    change = new.x - x
    worth = np.abs(change) * (new.eco.output_coefficients.T @ after.prices.to_numpy(np.float64))
    worth = worth if worth.any() else np.abs(change)
    at = np.argsort(-worth, kind="stable")[:top]
    at = at[np.abs(change[at]) > 1e-9 * np.maximum(new.x, x)[at]]
    if not at.size:
        return pd.DataFrame(columns=COLUMNS)
    own = np.asarray((new.per_unit - T) @ q)
    table = _explained(new, sources, at, x, own)
    table.insert(2, "change", table["after"].to_numpy() - x_then[at])
    table.insert(3, "with_scale", (x - x_then)[at])
    table["before"] = x_then[at]
    return table


def _explained(
    new: Chain, sources: dict[str, FloatArray], at: np.ndarray[Any, Any], x: FloatArray, own: FloatArray
) -> pd.DataFrame:
    table = new.per_unit
    M = sp.csr_array(new.eco.input_coefficients @ table)
    direct = np.ascontiguousarray(table[at].toarray().T)
    reach = np.asarray(values(M, direct, tolerance=_DIGITS)).reshape(len(new.output), len(at))
    suppliers = sp.csc_array(M)
    rows = []
    for k, j in enumerate(at.tolist()):
        change = new.x[j] - x[j]
        effects = {cause: reach[:, k] * s for cause, s in sources.items()}
        towards = np.sign(change)
        best = max(effects, key=lambda cause: float((towards * effects[cause]).max(initial=-np.inf)))
        i = int(np.argmax(towards * effects[best]))
        through = float(effects[best][i])
        if abs(own[j]) > abs(through):
            rows.append((x[j], new.x[j], own[j], SWITCH, show(new.eco.techniques[j]), own[j], ""))
            continue
        path = _path(i, direct[:, k], reach[:, k], suppliers)
        chain = " <- ".join(show(new.eco.products[node]) for node in reversed(path))
        rows.append((x[j], new.x[j], own[j], best, show(new.eco.products[i]), through, chain))
    kept = [column for column in COLUMNS if column not in ("change", "with_scale")]
    return pd.DataFrame(rows, new.eco.techniques[at], kept)


def _scaled(before: PlanResult, after: PlanResult) -> bool:
    return before.objective_kind == after.objective_kind == "max-scale" and before.objective > 0


def _path(start: int, direct: FloatArray, reach: FloatArray, suppliers: sp.csc_array) -> list[int]:
    """From a product to the one whose technique it is about: always to the supplier that passes most on."""
    path = [start]
    while len(path) < _LONGEST:
        node = path[-1]
        low, high = suppliers.indptr[node], suppliers.indptr[node + 1]
        among = suppliers.indices[low:high]
        passed = suppliers.data[low:high] * reach[among]
        if not passed.size or direct[node] >= passed.max():
            break
        following = int(among[int(np.argmax(passed))])
        if following in path:  # a loop gains nothing
            break
        path.append(following)
    return path


def _vector(values_: FloatArray, labels: pd.Index, into: pd.Index) -> FloatArray:
    if labels.equals(into):
        return values_
    at = labels.get_indexer(into)
    return np.where(at >= 0, values_[np.maximum(at, 0)], 0.0)


def _placed(matrix: sp.csr_array, old: Any, new: Any) -> sp.csr_array:
    if old.products.equals(new.products) and old.techniques.equals(new.techniques):
        return matrix
    return _moved(matrix, old.products.get_indexer(new.products), old.techniques.get_indexer(new.techniques))


def _aligned(per_unit: sp.csr_array, old: Any, new: Any) -> sp.csr_array:
    if old.products.equals(new.products) and old.techniques.equals(new.techniques):
        return per_unit
    return _moved(per_unit, old.techniques.get_indexer(new.techniques), old.products.get_indexer(new.products))


def _moved(matrix: Any, rows: np.ndarray[Any, Any], columns: np.ndarray[Any, Any]) -> sp.csr_array:
    out = sp.csr_array(matrix)[np.maximum(rows, 0)][:, np.maximum(columns, 0)]
    return sp.csr_array(sp.diags_array((rows >= 0) * 1.0) @ out @ sp.diags_array((columns >= 0) * 1.0))
