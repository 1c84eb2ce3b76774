"""Words about a plan in its own labels: what solvers number, and what negative targets mean."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ..data.labels import show

if TYPE_CHECKING:
    from .plan import Plan

_NUMBERED = re.compile(r"\b(good|technique|resource) (\d+)\b")
_SHOWN = 3


def in_labels(text: str, plan: Plan) -> str:
    """A solver's sentence with labels in place of numbers: "good 7", "technique 3", "resource 0" (a limit)."""
    return _NUMBERED.sub(lambda found: _label(found[1], int(found[2]), plan) or found[0], text)


_ENTRY = re.compile(r"\b(output|input|resource_use): entry \((\d+), (\d+)\)")
_ELEMENT = re.compile(r"\b(targets|cost|capacity|resource_upper|resource_lower)\[(\d+)\]")


def entry_in_labels(text: str, plan: Plan) -> str:
    """An error about arrays with labels: "input: entry (0, 3)" becomes row and column, "targets[2]" its product."""
    economy, limits = plan.economy, [limit.name for limit in plan.limits]
    rows: dict[str, Any] = {"output": economy.products, "input": economy.products, "resource_use": limits}
    tables = {"output": "output coefficients", "input": "input coefficients", "resource_use": "intensities"}
    of = {"targets": economy.products, "cost": economy.techniques, "capacity": economy.techniques}

    def entry(found: re.Match[str]) -> str:
        row, column = show(rows[found[1]][int(found[2])]), show(economy.techniques[int(found[3])])
        return f"{tables[found[1]]}: row {row!r}, column {column!r}"

    def element(found: re.Match[str]) -> str:
        return f"{found[1].replace('resource_', 'limit, ')}: {show(of.get(found[1], limits)[int(found[2])])!r}"

    return _ELEMENT.sub(element, _ENTRY.sub(entry, text))


def _label(what: str, number: int, plan: Plan) -> str | None:
    economy = plan.economy
    if what == "resource":
        if number >= len(plan.limits):
            return None
        limit = plan.limits[number]
        about = [limit.indicator] if limit.indicator != limit.name else []
        about += [limit.unit] if limit.unit else []
        return f"limit {limit.name!r}" + (f" ({', '.join(about)})" if about else "")
    labels = economy.products if what == "good" else economy.techniques
    if number < len(labels):
        name = economy.readable_names().get(labels[number], "") if what == "good" else ""
        code = show(labels[number])
        return f"{what} {code!r}" + (f" ({name})" if name and str(name) != code else "")
    supplied = number - len(labels)
    if what == "technique" and supplied < plan.supplied.size:
        return f"the supply of {show(economy.products[plan.supplied[supplied]])!r} from outside"
    return None


def about_negative_targets(plan: Plan) -> list[str]:
    """What negative targets mean for a plan that delivers at least its targets, and for percentages of its base."""
    targets = plan.targets[plan.targets < 0]
    if targets.empty:
        return []
    how = "grow with the scale" if plan.compiled.kind == "scale" else "are fixed"
    said = [
        f"{len(targets)} negative targets count as supplies from outside, which {how} and may be used or left over: "
        + _amounts(targets)
    ]
    base = plan.base_activity
    relative = any("%" in str(text) for limit in plan.limits for text in limit.stated.values())
    if base is not None and (base < 0).any() and relative:
        backwards = base[base < 0]
        said.append(
            f"the base plan, to which percentages refer, delivers exactly the targets and for that runs "
            f"{len(backwards)} techniques backwards ({_amounts(backwards)}); no plan can, so at full scale the targets "
            "may take more of a limit than its base: give limits as numbers, or targets without the negative entries, "
            "to plan without this difference"
        )
    return said


def _amounts(values: pd.Series) -> str:
    order = np.argsort(values.to_numpy(), kind="stable")[:_SHOWN].tolist()
    text = ", ".join(f"{show(values.index[i])!r} {float(values.iloc[i]):.4g}" for i in order)
    return text + (f" and {len(values) - _SHOWN} more" if len(values) > _SHOWN else "")
