"""``kantor forecast``: targets for a plan from past demand, with a margin for what the forecast does not know."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from .console import print_json, print_table, say
from .plan import Json, Quiet
from .progress import steps


def forecast(
    history: Annotated[
        Path,
        typer.Argument(
            metavar="HISTORY",
            help="CSV or Parquet: products, then a column a period, oldest first.",
            show_default=False,
        ),
    ],
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", metavar="FILE", help="CSV for [targets] of a scenario: product, amount."),
    ] = None,
    ahead: Annotated[int, typer.Option(help="Periods after the last known one.", min=1)] = 1,
    method: Annotated[str, typer.Option(help="naive, seasonal-naive, trend, seasonal, auto or ets.")] = "auto",
    season: Annotated[int, typer.Option(help="Periods that make a cycle.", min=1)] = 1,
    risk: Annotated[
        float | None, typer.Option(help="Probability with which demand may exceed its target; none: the middle.")
    ] = None,
    origins: Annotated[int, typer.Option(help="Of the back-test; 0 leaves it out.", min=0)] = 5,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Forecast demand, say how well the methods did in the past, and write targets."""
    import pandas as pd

    from ..analysis.expected import expected_targets
    from ..analysis.forecast import backtest
    from ..data.tables import TableReader

    with steps(quiet=quiet or as_json) as step:
        step.begin(f"reading {history}")
        table = TableReader(history.parent).frame(history.name, levels=1)
        step.begin("forecasting")
        targets = expected_targets(table, ahead, 1, method, season, risk)[ahead]
        tested: Any = None
        if origins:
            step.begin("testing on the past")
            tested = backtest(table.to_numpy(float), ahead, season, origins)
        if output is not None:
            pd.DataFrame({"amount": targets.rename_axis("product")}).to_csv(output)
    if as_json:
        rows = None if tested is None else tested.reset_index().to_dict("records")
        print_json({"ahead": ahead, "method": method, "risk": risk, "backtest": rows, "targets": targets.to_dict()})
        return
    if tested is not None:
        lines = [
            (str(name), f"{row['mase']:.2f}", f"{row['relative']:.2f}", f"{100 * row['covered']:.0f} %")
            for name, row in tested.iterrows()
        ]
        print_table("On the past", ("method", "MASE", "error beside naive", "90 % intervals held"), lines)
    say(f"wrote {output}" if output is not None else f"{len(targets):,} targets; -o writes them", quiet=quiet)
