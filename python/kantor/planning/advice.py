"""A diagnosis in the sentences a planner would want."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ..data.labels import show

if TYPE_CHECKING:
    from .diagnose import Diagnosis
    from .plan import Plan

_SHOWN = 5


def in_words(plan: Plan, found: Diagnosis) -> list[str]:
    """What is asked for and what limits it, what excludes every plan, and the ways out."""
    table = found.conflict
    demands = table[table["kind"].isin(["target", "at least"])]
    means = table[~table["kind"].isin(["target", "at least"])]
    lines = ["no plan exists: what is asked for is worth more than everything that limits it"]
    if len(demands):
        lines.append("asked for: " + "; ".join(_weighed(row) for _, row in demands.head(_SHOWN).iterrows()))
    if len(means):
        lines.append("limited by: " + "; ".join(_weighed(row) for _, row in means.head(_SHOWN).iterrows()))
    capacities = any(kind == "capacity" for kind, _ in found.conflict_set)
    if found.smallest_limits:
        names = ", ".join(f"{name} ({side})" for side, name in found.smallest_limits)
        rest = "with the targets, " if (demands["kind"] == "target").any() else ""
        rest += "with capacities, " if capacities else ""
        lines.append(f"{rest}these limits alone exclude every plan: {names}")
    elif not capacities:
        lines.append("no limit is at fault: no technique, or no productive combination of them, delivers these targets")
    else:
        lines.append("no limit is at fault: the capacities alone exclude every plan")
    if found.deliverable is not None:
        lines.append(f"within the limits {found.deliverable:.4%} of the targets can be delivered")
    lines += way_out(found)
    if found.relaxation is not None and len(found.smallest_limits) > 1:
        units = {limit.name: limit.unit for limit in plan.limits}
        bounds = ", ".join(
            f"{name} {side} {value:.8g} {units[name]}".rstrip() for (side, name), value in found.relaxed.items()
        )
        lines.append(f"or relax each of them by {found.relaxation:.4%}: {bounds}")
    return lines


def way_out(found: Diagnosis) -> list[str]:
    """What falls short and by how much, the least relaxation, and what each element of the conflict would do alone."""
    ways = found.ways
    if found.least is None:
        return ["relaxing the limits alone does not make a plan possible"] if found.conflict_set else []
    changed = ways[ways["change"] > 0]
    short = " and ".join(
        f"{_called(key)} is {row['change']:.2%} {_lacking(key)}" for key, row in list(changed.iterrows())[:_SHOWN]
    )
    deeds = ", ".join(_deed(key, row) for key, row in list(changed.iterrows())[:_SHOWN])
    more = f" and {len(changed) - _SHOWN} more, see ways" if len(changed) > _SHOWN else ""
    lines = [f"{short}; cheapest way out: {deeds}{more}"]
    others = ways[ways["alone"].notna() & ~((ways["change"] > 0) & (len(changed) == 1))]
    for key, row in list(others.iterrows())[:_SHOWN]:
        lines.append(f"or {_called(key)} alone by {row['alone']:.2%}")
    return lines


def _called(key: Any) -> str:
    kind, name = key
    return {"capacity": f"the capacity of {show(name)}", "target": f"the target of {show(name)}"}.get(kind, show(name))


def _lacking(key: Any) -> str:
    return {"at most": "short", "capacity": "short", "at least": "too high a floor", "target": "too high"}[key[0]]


def _deed(key: Any, row: pd.Series) -> str:
    verb = "raise" if key[0] in ("at most", "capacity") else "lower"
    what = f"{_called(key)} ({key[0]})" if key[0] in ("at most", "at least") else _called(key)
    unit = f" {row['unit']}" if row["unit"] else ""
    return f"{verb} {what} from {row['bound']:.8g} to {row['least']:.8g}{unit}"


def _weighed(row: pd.Series) -> str:
    kind = "" if row["kind"] == "target" else f" ({row['kind']} {np.float64(row['amount']):.6g})"
    return f"{show(row['name'])}{kind} {row['share']:.1%}"
