"""A plan in the terminal: what was found, what proves it, what binds, what is dear."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import typer

from ..report.numbers import change, exact, percent, quantity
from .console import label, print_table

if TYPE_CHECKING:
    from ..planning.result import PlanResult

TOP = 5


def print_plan(result: PlanResult) -> None:
    """Print the summary of a plan on standard output."""
    goal = {"max": "at most", "min": "at least"}[result.sense]
    lines = [f"{result.name}: {result.status.value}"]
    if math.isfinite(result.objective):
        lines.append(f"objective  {exact(result.objective)} {result.objective_unit}")
    if math.isfinite(result.gap):
        best = result.upper_bound if result.sense == "max" else result.lower_bound
        lines.append(f"certified  the best possible is {goal} {exact(best)}; gap {result.gap:.1e}, asked for {result.info.tolerance:.0e}")
    seconds = result.info.seconds.get("total", math.nan)
    lines.append(
        f"size       {len(result.consumption):,} products, {len(result.activity):,} techniques, {len(result.limits)} limits"
    )
    lines.append(f"work       {seconds:.3g} s, {result.info.iterations:,} iterations of {result.info.method} on {result.info.backend}")
    if result.info.why:
        lines.append(f"why        {result.info.why}")
    lines += [f"note       {note}" for note in (*result.notes, *result.info.notes)]
    for line in lines:
        typer.echo(line)
    if not math.isfinite(result.objective):
        return
    _print_limits(result)
    _print_bottlenecks(result)
    _print_prices(result)


def _print_limits(result: PlanResult) -> None:
    if not result.limits:
        return
    rows = []
    for limit in result.limits:
        row = result.use.loc[limit.name]
        bound = limit.upper if math.isfinite(limit.upper) else limit.lower
        kind = "at most" if math.isfinite(limit.upper) else "at least"
        use = float(row["use"])
        rows.append(
            (
                limit.name,
                quantity(use, limit.unit),
                f"{kind} {quantity(bound, limit.unit)}",
                percent(use / bound) if bound else "n/a",
                change(use / limit.base) if limit.base else "n/a",
            )
        )
    print_table("Limits", ("limit", "use", "bound", "use / bound", "against base"), rows)


def _print_bottlenecks(result: PlanResult) -> None:
    found = result.bottlenecks()
    if found.empty:
        return
    rows = [
        (f"{label(name)}, {kind}", f"{float(row['rent']):.4g}", f"{float(row['one_more_percent']):+.4g}")
        for (kind, name), row in found.head(TOP).iterrows()
    ]
    more = f", {TOP} of {len(found)}" if len(found) > TOP else ""
    print_table(f"What binds{more}", ("bound", f"rent, {result.objective_unit} per unit", "one percent more"), rows)


def _print_prices(result: PlanResult) -> None:
    if not (result.prices > 0).any() or not (result.targets > 0).any():
        return
    relative = result.normalised_prices().sort_values(ascending=False, kind="stable").head(TOP)
    names = product_names(result)
    rows = [(names(key), f"{float(value):.4g}") for key, value in relative.items()]
    print_table("Dearest products (the basket's average is 1)", ("product", "price"), rows)


def product_names(result: PlanResult) -> Callable[[Any], str]:
    """A function from a product's label to readable words."""

    def words(key: Any) -> str:
        code = label(key)
        name = code if result.names is None else str(result.names.get(key, code))
        return code if name == code else f"{name} ({code})"

    return words
