"""A plain recomputation of a plan's interval: is it feasible, what does it achieve, what do its prices prove."""

from __future__ import annotations

import numpy as np

from .files import Arrays, get_matrix


def judge(arrays: Arrays, answer: Arrays) -> dict[str, float]:
    """Violations relative to the sizes that are added up in a row, the recomputed objective, bound and gap.

    kind "use": min c.a, N a >= y; "scale": max t, N a >= t y; both f <= R a <= b, 0 <= a <= capacity. Prices p, rents
    lambda and phi >= 0; the rent of a capacity is what N'p + R'phi exceeds c + R'lambda by, and an excess without a
    capacity is a violation.
    """
    kind = str(arrays["kind"])
    B, A, R = (get_matrix(arrays, name) for name in ("output", "input", "resource_use"))
    y, cap, b, f, c = (arrays[k] for k in ("targets", "capacity", "resource_upper", "resource_lower", "cost"))
    a = answer["activity"]
    p, rents, floors = (np.maximum(answer[k], 0.0) for k in ("prices", "rents", "floor_rents"))
    scale = float(answer["scale"]) if kind == "scale" else 1.0
    made, used, wanted = B @ a, A @ a, scale * y
    sizes = np.abs(made) + np.abs(A) @ np.abs(a) + np.abs(wanted)
    short = float(np.max((wanted - made + used) / np.where(sizes > 0, sizes, 1.0), initial=0.0))
    limited, least, use = np.isfinite(b), np.isfinite(f), R @ a
    over = float(np.max((use - b)[limited] / np.maximum(np.abs(b[limited]), 1e-300), initial=0.0))
    under = float(np.max((f - use)[least] / np.maximum(np.abs(f[least]), 1e-300), initial=0.0))
    outside = float(np.max(np.maximum(-a, a - cap) / (1.0 + np.abs(a)), initial=0.0))
    worth, costs = B.T @ p - A.T @ p + R.T @ floors, c + R.T @ rents
    excess, size = worth - costs, np.abs(B.T @ p) + np.abs(A).T @ p + np.abs(R).T @ floors + np.abs(costs)
    bounded = np.isfinite(cap)
    wrong = np.where(bounded, 0.0, excess / np.where(size > 0, size, 1.0))
    limits = float(rents[limited] @ b[limited] - floors[least] @ f[least])
    limits += float(np.maximum(excess[bounded], 0.0) @ cap[bounded])
    basket = float(p @ y)
    value = scale if kind == "scale" else float(c @ a)
    bound = limits / basket if kind == "scale" else basket - limits
    return {
        "violation": max(short, over, under, outside, 0.0),
        "price_violation": float(np.max(wrong, initial=0.0)),
        "objective": value,
        "bound": bound,
        "gap": abs(bound - value) / max(abs(bound), abs(value), 1e-300),
    }
