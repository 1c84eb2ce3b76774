"""``kantor compare``: two plan folders side by side."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..report.labels import entries
from ..report.numbers import amount, change, exact
from .console import label, print_json, print_table
from .summary import product_names

if TYPE_CHECKING:
    import pandas as pd

    from ..planning.compare import Comparison
    from ..planning.result import PlanResult


def compare(
    first: Annotated[Path, typer.Argument(metavar="FIRST", help="A plan folder.", show_default=False)],
    second: Annotated[Path, typer.Argument(metavar="SECOND", help="Another.", show_default=False)],
    top: Annotated[int, typer.Option(help="Rows of every list.", min=1)] = 10,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object on standard output and nothing else.")
    ] = False,
) -> None:
    """Compare two plans: what they reach, what limits them, what moved, what became dearer."""
    from ..planning.compare import compare_plans
    from ..planning.folder import load_plan

    one, other = load_plan(first), load_plan(second)
    found = compare_plans(one, other)
    if as_json:
        print_json({"first": str(first), "second": str(second)} | found.to_dict(top))
        return
    _print(one, other, found, top)


def _print(one: PlanResult, other: PlanResult, found: Comparison, top: int) -> None:
    goal = {
        True: "the second is better, proved",
        False: "the first is better, proved",
        None: "neither is proved better",
    }
    typer.echo(f"first      {one.name}: {one.status.value}, {exact(one.objective)} {one.objective_unit}")
    typer.echo(f"second     {other.name}: {other.status.value}, {exact(other.objective)} {other.objective_unit}")
    typer.echo(f"verdict    {goal[found.better]}")
    for note in found.notes:
        typer.echo(f"note       {note}")
    rows = []
    for name, row in zip(found.limits.index, found.limits.to_dict("records"), strict=True):
        pairs = [(row[f"{what}_first"], row[f"{what}_second"]) for what in ("use", "bound", "rent")]
        rows.append((str(name), *(_number(value) for pair in pairs for value in pair)))
    if rows:
        head = ("limit", "use, first", "second", "bound, first", "second", "rent, first", "second")
        print_table("Limits", head, rows[: 3 * top])
    unit = one.unit if isinstance(one.unit, str) else ""
    words = _names(one, other)
    _print_moves("Activity that moved most", ("technique", words), found.activity, top, unit)
    _print_moves("Consumption that moved most", ("product", words), found.consumption, top, unit)
    _print_moves("Prices that moved most (each plan's basket is 1)", ("product", words), found.prices, top, "")


def _names(one: PlanResult, other: PlanResult) -> Callable[[Any], str]:
    """Readable words for labels of both plans; a technique has the name of the product whose label it has."""
    first, second = product_names(one), product_names(other)
    return lambda key: words if (words := first(key)) != label(key) else second(key)


def _print_moves(title: str, what: tuple[str, Callable[[Any], str]], table: pd.DataFrame, top: int, unit: str) -> None:
    shown = table.head(top)
    if shown.empty:
        typer.echo(f"\n{title}: none")
        return
    rows = [
        (what[1](key), amount(before, unit), amount(after, unit), change(after / before) if before else "new")
        for (key, before), (_, after) in zip(entries(shown["first"]), entries(shown["second"]), strict=True)
    ]
    print_table(f"{title}{f', {unit}' if unit else ''}", (what[0], "first", "second", "change"), rows)


def _number(value: Any) -> str:
    return f"{value:.6g}" if math.isfinite(value) else "none"
