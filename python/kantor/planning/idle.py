"""What would make an idle technique worth running: its reduced cost, and which single input would have to fall."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from ..data.labels import show
from ..errors import ProblemError

if TYPE_CHECKING:
    from .result import PlanResult

_IDLE = 1e-9


def idle_techniques(result: PlanResult) -> pd.DataFrame:
    """One row for each technique that stands still, the nearest to being worth running first.

    Columns: ``loss`` (cost at the plan's prices and rents less the worth of the outputs, objective per unit of
    activity, >= 0), ``share`` (of its whole cost: what all inputs together would have to fall by), ``largest`` (its
    dearest input or limit), ``coefficient`` (of that, per unit of activity), ``must_fall_to`` (the coefficient at
    which it breaks even; NaN where even zero would not do) and ``words`` (all this as a sentence).
    """
    plan = result.plan
    if plan is None:
        raise ProblemError(f"idle_techniques: the plan folder {result.folder} holds no economy; solve the plan")
    eco, prices = plan.economy, result.prices.to_numpy(np.float64)
    rents = (result.rents - result.floor_rents).to_numpy(np.float64)
    use = eco.use_of(limit.indicator for limit in plan.limits).tocsc()
    idle = np.flatnonzero(result.activity.to_numpy() <= _IDLE * result.activity.abs().max())
    inputs, output = eco.input_coefficients.tocsc(), eco.output_coefficients.tocsc()
    rows = []
    for j in idle.tolist():
        parts = slice(inputs.indptr[j], inputs.indptr[j + 1])
        limited = slice(use.indptr[j], use.indptr[j + 1])
        amounts = np.concatenate([inputs.data[parts], use.data[limited]])
        names = [show(eco.products[i]) for i in inputs.indices[parts]]
        names += [plan.limits[k].name for k in use.indices[limited]]
        worth = np.concatenate([prices[inputs.indices[parts]], rents[use.indices[limited]]])
        made = slice(output.indptr[j], output.indptr[j + 1])
        cost = float(amounts @ worth) + float(plan.compiled.cost[j])
        loss = max(cost - float(output.data[made] @ prices[output.indices[made]]), 0.0)
        value = amounts * worth
        dearest = int(value.argmax()) if value.size else -1
        enough = dearest >= 0 and value[dearest] >= loss and worth[dearest] > 0
        fall = float(amounts[dearest] - loss / worth[dearest]) if enough else np.nan
        largest, amount = (names[dearest], float(amounts[dearest])) if value.size else ("", np.nan)
        share = loss / cost if cost > 0 else np.nan
        rows.append((loss, share, largest, amount, fall, _in_words(share, largest, amount, fall)))
    columns = ["loss", "share", "largest", "coefficient", "must_fall_to", "words"]
    return pd.DataFrame(rows, eco.techniques[idle], columns).sort_values("share", kind="stable")


def _in_words(share: float, largest: str, amount: float, fall: float) -> str:
    """What would make it worth running."""
    if not share > 0:
        return "breaks even as it is"
    alone = f"{largest} falls from {amount:.6g} to {fall:.6g} per unit"
    together = f"all its inputs together fall by {share:.3%}"
    return f"worth running once {alone if np.isfinite(fall) else together}"
