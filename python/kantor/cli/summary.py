"""A plan in the terminal: what was found, what proves it, what binds, what is dear."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import typer

from ..report.labels import entries, leading, of_each_sector, records
from ..report.numbers import amount, change, counted, exact, percent
from ..report.spans import LEVELS, reached
from ..report.terms import explained
from ..solvers.vertex import MOST_EXACT
from .console import label, print_table

if TYPE_CHECKING:
    from ..planning.result import PlanResult
    from ..planning.vertex import PlanVertex
    from ..solvers.solution import SolveInfo

# A longer list of limits is cut.
_LISTED = 40
TOP = 5


def print_plan(result: PlanResult) -> None:
    """Print the summary of a plan on standard output."""
    goal = {"max": "at most", "min": "at least"}[result.sense]
    lines = [f"{result.name}: {result.status.value}"]
    if math.isfinite(result.objective):
        lines.append(f"objective  {exact(result.objective)} {result.objective_unit}")
    if math.isfinite(result.gap):
        best = result.upper_bound if result.sense == "max" else result.lower_bound
        lines.append(
            f"certified  the best possible is {goal} {exact(best)}; "
            f"gap {result.gap:.1e}, asked for {result.info.tolerance:.0e}"
        )
    seconds = result.info.seconds.get("total", math.nan)
    size = [(len(result.consumption), "product"), (len(result.activity), "technique"), (len(result.limits), "limit")]
    lines.append("size       " + ", ".join(counted(number, word) for number, word in size))
    if result.vertex is not None:
        lines += [f"vertex     {line}" for line in vertex_lines(result.vertex)]
    lines.append(f"work       {seconds:.3g} s, {work(result.info)}")
    if result.info.why:
        lines.append(f"why        {result.info.why}")
    notes = (*result.notes, *result.info.notes)
    lines += [f"note       {note}" for note in (*notes, *explained((result.info.why, *notes)))]
    for line in lines:
        typer.echo(line)
    if not math.isfinite(result.objective):
        return
    for level in LEVELS:
        _print_reached(result, level)
    _print_limits(result)
    _print_bottlenecks(result)
    _print_prices(result)


def vertex_lines(vertex: PlanVertex) -> list[str]:
    """What an exact vertex is: its value and basis, what binds, whether it was confirmed in fractions, intervals."""
    running, full = (int((vertex.techniques["state"] == state).sum()) for state in ("running", "full"))
    surplus = int((vertex.products["state"] == "surplus").sum())
    slack = int((vertex.limits["state"] == "slack").sum())
    basis = [
        counted(running, "running technique"),
        counted(surplus, "surplus", "surpluses"),
        counted(slack, "slack limit"),
    ]
    basis += ["the scale"] if vertex.scale == "running" else []
    bound = counted(len(vertex.limits) - slack, "limit")
    exact = (
        "confirmed in rational arithmetic"
        if vertex.exact
        else f"not confirmed in rational arithmetic, which is done up to {MOST_EXACT} goods and limits"
    )
    lines = [
        f"{vertex.objective!r}, {exact}; {vertex.how}",
        f"a basis of {vertex.rows:,}: {', '.join(basis)}; {bound} and {counted(full, 'capacity', 'capacities')} bind",
    ]
    if not vertex.degenerate:
        lines.append("prices and rents are the only optimal ones")
    elif vertex.intervals:
        wide = sum(
            int((table[high] > table[low]).sum())
            for table, low, high in (
                (vertex.products, "low", "high"), (vertex.limits, "low", "high"),
                (vertex.techniques, "rent_low", "rent_high"),
            )
        )  # fmt: skip
        lines.append(
            f"degenerate ({vertex.degenerate}): {counted(wide, 'price or rent', 'prices and rents')} of an interval"
        )
    else:
        lines.append(
            f"degenerate ({vertex.degenerate}): prices have intervals, which result.vertex.price_intervals finds"
        )
    return lines


def work(info: SolveInfo) -> str:
    """Words for method, iterations and backend."""
    count = f", {info.iterations:,} iterations" if info.iterations else ""
    return f"method {info.method}{count}, backend {info.backend}"


def _print_reached(result: PlanResult, level: str) -> None:
    table = reached(result, level)
    if len(table) < 2:
        return
    table = table.sort_values("mean", kind="stable") if level != "year" else table
    rows = [(str(key), percent(float(row["least"])), percent(float(row["mean"]))) for key, row in records(table)]
    more = f", the {2 * TOP} least served of {len(rows)}" if len(rows) > 2 * TOP and level != "year" else ""
    shown = rows[: 2 * TOP] if more else rows
    print_table(f"Targets reached by {level}{more}", (level, "least", "mean by value"), shown)


def _print_limits(result: PlanResult) -> None:
    if not result.limits:
        return
    rows, uses, shown, title = [], result.use["use"].to_dict(), result.limits, "Limits"
    if len(shown) > _LISTED:
        binding = {name for kind, name in result.bottlenecks().index if kind != "capacity"}
        shown = sorted(shown, key=lambda limit: limit.name not in binding)[: _LISTED // 2]
        title = f"Limits, {len(shown)} of {len(result.limits):,}, those that bind first; the report has all"
    for limit in shown:
        use = float(uses[limit.name])
        bound = limit.upper if math.isfinite(limit.upper) else limit.lower
        sign = "<=" if math.isfinite(limit.upper) else ">="
        rows.append(
            (
                f"{limit.name}, {limit.unit}".rstrip(", "),
                amount(use, limit.unit),
                f"{sign} {amount(bound, limit.unit)}",
                percent(use / bound) if bound else "n/a",
                change(use / limit.base) if limit.base else "n/a",
            )
        )
    print_table(title, ("limit", "use", "bound", "use / bound", "against base"), rows)


def _print_bottlenecks(result: PlanResult) -> None:
    found = result.bottlenecks()
    if found.empty:
        return
    rows = [
        (f"{label(name)}, {kind}", f"{float(row['rent']):.4g}", f"{float(row['one_more_percent']):+.4g}")
        for (kind, name), row in records(found.head(TOP))
    ]
    more = f", {TOP} of {len(found)}" if len(found) > TOP else ""
    print_table(f"What binds{more}", ("bound", f"rent, {result.objective_unit} per unit", "one percent more"), rows)


def _print_prices(result: PlanResult) -> None:
    if not (result.prices > 0).any() or not (result.targets > 0).any():
        return
    relative = leading(result.normalised_prices().sort_values(ascending=False, kind="stable"), TOP)
    names = product_names(result)
    rows = [(names(key), f"{value:.4g}") for key, value in entries(relative)]
    print_table(
        f"Dearest products (the basket's average is 1){of_each_sector(relative.index)}", ("product", "price"), rows
    )


def product_names(result: PlanResult) -> Callable[[Any], str]:
    """A function from a product's label to readable words."""

    def words(key: Any) -> str:
        code = label(key)
        name = code if result.names is None else str(result.names.get(key, code))
        return code if name == code else f"{name} ({code})"

    return words
