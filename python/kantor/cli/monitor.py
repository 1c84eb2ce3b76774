"""``kantor monitor``: follow a stream of reports; a saved state goes on where it stopped."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..errors import ProblemError
from .console import label, print_json, print_table, say
from .plan import Json, Quiet
from .progress import steps

if TYPE_CHECKING:
    from ..feedback.monitor.monitor import Monitor


def monitor(
    state: Annotated[
        Path, typer.Argument(metavar="STATE", help="Folder of the monitor's state; made if new.", show_default=False)
    ],
    reports: Annotated[
        Path | None,
        typer.Argument(metavar="REPORTS", help="CSV, Parquet, or a folder of Parquet files.", show_default=False),
    ] = None,
    series: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="For a new state: CSV with series, capability; potential, unit, signed."),
    ] = None,
    ledger: Annotated[
        Path | None, typer.Option(metavar="FILE", help="For a new state: CSV to append reports set aside to.")
    ] = None,
    deal_with: Annotated[
        list[str] | None, typer.Option("--deal-with", metavar="SERIES", help="Its alert was dealt with.")
    ] = None,
    confirm: Annotated[
        list[str] | None, typer.Option(metavar="SERIES", help="A report of it that was set aside is true.")
    ] = None,
    level: Annotated[str | None, typer.Option(help="Show alerts of this level only.")] = None,
    top: Annotated[int, typer.Option(help="Rows of every list.", min=1)] = 20,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Filter new reports, say what changed with what probability, and what was set aside and why.

    Reports that were read before are skipped, so the command can run again whenever the file has grown.
    """
    from ..feedback.monitor.stream import read_reports

    with steps(quiet=quiet or as_json) as step:
        step.begin(f"reading {state}")
        mon = _opened(state, series, ledger)
        for name in deal_with or []:
            mon.alerts.deal_with(name)
        for name in confirm or []:
            mon.confirm(name)
        periods = used = 0
        if reports is not None:
            for found in mon.run(read_reports(reports, after=mon.read)):
                step.begin(f"period {found.period}")
                periods, used = periods + 1, used + found.used
        mon.save(state)
    alerts = mon.alerts.open(level)
    if as_json:
        print_json({"state": state, "period": mon.period, "periods": periods, "used": used, "quarantined": mon.counts,
                    "open": len(alerts), "alerts": alerts.head(top).to_dict("records")})  # fmt: skip
        return
    typer.echo(f"period     {mon.period}, {periods} read now with {used:,} reports used")
    aside = ", ".join(f"{reason} {count:,}" for reason, count in mon.counts.items())
    typer.echo(f"set aside  {aside or 'nothing'} (since the beginning)")
    rows = [
        (label(row["series"]), row["kind"], row["level"], str(row["since"]), f"{row['probability']:.4f}")
        for row in alerts.head(top).to_dict("records")
    ]
    print_table(f"Open alerts, {len(alerts):,}", ("series", "kind", "level", "since period", "probability"), rows)
    say(f"wrote {state}", quiet=quiet)


def _opened(state: Path, series: Path | None, ledger: Path | None) -> Monitor:
    import pandas as pd

    from ..feedback.monitor.monitor import Monitor

    if (state / "monitor.json").is_file():
        if series is not None:
            raise ProblemError(f"{state}: has its series already; leave out --series, or name a new state")
        return Monitor.load(state)
    if series is None:
        raise ProblemError(f"{state}: no state yet; name the series with --series FILE")
    try:
        table = pd.read_csv(series, dtype={"series": str, "unit": str})
    except (OSError, ValueError) as error:
        raise ProblemError(f"{series}: cannot be read: {error}") from error
    lacks = [column for column in ("series", "capability") if column not in table]
    if lacks:
        raise ProblemError(f"{series}: column {lacks[0]!r} is missing; it has {list(table.columns)}")
    column: Any = lambda name: table[name].to_numpy() if name in table else None  # noqa: E731
    signed = table["series"][table["signed"].astype(bool)] if "signed" in table else None
    return Monitor(
        table["series"].to_numpy(), table["capability"].to_numpy(), column("potential"), column("unit"), signed,
        ledger=ledger,
    )  # fmt: skip
