"""Random infeasible plans, and what HiGHS, called directly, says of a diagnosis."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp
from scipy.optimize import linprog

from kantor import Economy, Limit, MinimiseUse, Plan
from kantor.planning.relax import Element, elements
from kantor.solvers.program import PlanningProgram


def random_plan(seed: int) -> Plan | None:
    """A plan with two techniques a good, limits, floors and capacities drawn too tight; None if it is feasible."""
    rng = np.random.default_rng(seed)
    n, k = int(rng.integers(2, 5)), 2
    m = n * k
    A = rng.random((n, m)) * (rng.random((n, m)) < 0.5)
    A *= 0.6 / np.maximum(A.sum(axis=0), 1e-9)
    S = rng.random((3, m)) + 0.1
    eco = Economy.from_arrays(
        input=A, output=np.kron(np.eye(n), np.ones((1, k))), intensities=S,
        products=[f"good {i}" for i in range(n)], techniques=[f"way {j}" for j in range(m)],
        indicators=["labour", "energy", "carbon"],
    )  # fmt: skip
    targets = rng.random(n) * 10 + 1
    x = np.linalg.solve(np.eye(n) - A[:, ::k], targets)
    use = S[:, ::k] @ x
    limits: dict[str, Any] = {
        name: float(use[r] * rng.uniform(0.5, 1.1)) for r, name in enumerate(["labour", "energy"]) if rng.random() < 0.8
    }
    if rng.random() < 0.5:
        limits["busy"] = Limit(indicator="carbon", at_least=float(use[2] * rng.uniform(1.0, 1.6)))
    capacities = {f"way {j}": float(x[j // k] * rng.uniform(0.2, 1.0)) for j in range(m) if rng.random() < 0.3}
    plan = Plan(eco, targets, MinimiseUse("carbon"), limits=limits, capacities=capacities)
    program = plan.compile()
    return None if feasible(program) else plan


def feasible(program: PlanningProgram) -> bool:
    return bool(_linprog(program).status == 0)


def _linprog(p: PlanningProgram, extra: Any = None, cost: Any = None, room: Any = None) -> Any:
    net = p.output - p.input
    up, low = np.isfinite(p.resource_upper), np.isfinite(p.resource_lower)
    rows = sp.vstack([-net, p.resource_use[up], -p.resource_use[low]]).toarray()
    right = np.concatenate([-p.targets, p.resource_upper[up], -p.resource_lower[low]])
    bounds = [(0, None if np.isinf(c) else c) for c in p.capacity]
    return linprog(np.zeros(rows.shape[1]), rows, right, bounds=bounds, method="highs")


def least_by_highs(plan: Plan, weights: dict[Element, float]) -> float:
    """The least weighted relaxation from a linear program written out here, row by row."""
    p = plan.compile()
    net, m = (p.output - p.input).toarray(), p.shape[1]
    giving = list(weights)
    number = {element: m + e for e, element in enumerate(giving)}
    cost = np.concatenate([np.zeros(m), [weights[element] for element in giving]])
    rows, right = [], []

    def row(values: Any, slack: Element, bound: float) -> None:
        full = np.zeros(m + len(giving))
        full[:m] = values
        if slack in number:
            full[number[slack]] = -slack.size
        rows.append(full)
        right.append(bound)

    seen = set()
    for element in elements(plan, p):
        seen.add((element.kind, element.at))
        if element.kind == "at most":
            row(p.resource_use.toarray()[element.at], element, element.bound)
        elif element.kind == "at least":
            row(-p.resource_use.toarray()[element.at], element, -element.bound)
        elif element.kind == "capacity":
            row(np.eye(m)[element.at], element, element.bound)
        else:
            row(-net[element.at], element, -element.bound)
    # A target given up whole is a share of 1; beyond that goods would come from nowhere.
    bounds = [(0, None)] * m + [(0, 1.0 if element.kind == "target" else None) for element in giving]
    answer = linprog(cost, np.array(rows), right, bounds=bounds, method="highs")
    return float(answer.fun) if answer.status == 0 else float("inf")
