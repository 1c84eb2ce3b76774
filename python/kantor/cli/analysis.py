"""``kantor footprints`` and ``kantor balance-table``: whose consumption uses what; tables that do not add up yet."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..errors import OptionError, ProblemError
from ..report.numbers import amount
from .console import Exit, finish, label, print_json, print_table, say
from .plan import Json
from .progress import steps
from .tables import Assumption, Csv, Kind, Parquet, Table, Technology, Top, With, Year, _export, _indicators, _load

if TYPE_CHECKING:
    import pandas as pd

    from ..analysis.footprints import Footprints


def footprints(
    table: Table,
    by: Annotated[
        list[str] | None,
        typer.Option("--by", "-b", help="Indicator or alias; repeat for several.", show_default="the first three"),
    ] = None,
    demand: Annotated[
        str | None, typer.Option(help="A demand category, for instance GFCF.", show_default="the whole final demand")
    ] = None,
    year: Year = None,
    technology: Technology = None,
    assumption: Assumption = None,
    kind: Kind = None,
    parts: With = None,
    top: Top = 10,
    csv: Csv = None,
    parquet: Parquet = None,
    as_json: Json = False,
) -> None:
    """Footprints by region: use where it takes place, and use for whose consumption, with imports and exports.

    --csv and --parquet write every account of every region and sector (columns D_cba, D_pba, D_imp, D_exp).
    """
    from ..analysis.footprints import footprints as accounts

    with steps(quiet=as_json) as step:
        step.begin(f"reading {table}")
        economy = _load(table, year=year, technology=technology, assumption=assumption, table=kind, parts=parts)
        names = _indicators(economy, by)
        step.begin("solving")
        feet = accounts(economy, names, demand=demand)
        regions = {str(name): _by_region(feet, name) for name in feet.S.index}
        rows = None if csv is None and parquet is None else _all_accounts(feet)
    if rows is not None:
        _export(economy, rows, csv, parquet)
    if as_json:
        print_json({"economy": economy.name, "units": feet.unit, "by_region": {k: v.T for k, v in regions.items()}})
        return
    for name, accounts_ in regions.items():
        unit = str(feet.unit[name])
        largest = accounts_.sort_values("consumption", ascending=False, kind="stable").head(top)
        lines = [
            (label(region), *(amount(float(v), unit) for v in row))
            for region, row in zip(largest.index, largest.to_numpy(), strict=True)
        ]
        heads = ("region", "for consumption", "in production", "imported", "exported")
        print_table(f"{name}, {unit}: {len(lines)} of {len(accounts_):,}", heads, lines)


def _by_region(feet: Footprints, name: Any) -> pd.DataFrame:
    import pandas as pd

    return pd.DataFrame(
        {
            "consumption": feet.D_cba_reg.loc[name],
            "production": feet.D_pba_reg.loc[name],
            "imports": feet.D_imp_reg.loc[name],
            "exports": feet.D_exp_reg.loc[name],
        }
    )


def _all_accounts(feet: Footprints) -> pd.DataFrame:
    """One row an indicator and (region, sector), one column an account."""
    import pandas as pd

    frames = {}
    for account in ("D_cba", "D_pba", "D_imp", "D_exp"):
        wide = getattr(feet, account)
        frames[account] = pd.concat({name: wide.loc[name] for name in wide.index}, names=["indicator"])
    return pd.DataFrame(frames).reset_index()


def balance_table(
    table: Annotated[Path, typer.Argument(metavar="TABLE", help="The reported table, CSV or Parquet, labels first.")],
    rows: Annotated[
        Path | None, typer.Option(help="Row totals: label, total and, optionally, standard error.", metavar="FILE")
    ] = None,
    columns: Annotated[
        Path | None, typer.Option(help="Column totals: label, total and, optionally, standard error.", metavar="FILE")
    ] = None,
    cell_error: Annotated[
        float | None,
        typer.Option(help="Standard error of the cells, a share of each.", show_default="RAS weights"),
    ] = None,
    method: Annotated[str, typer.Option(help="entropy or least-squares.")] = "entropy",
    tolerance: Annotated[float, typer.Option(help="Each total holds to this share of its size.")] = 1e-9,
    out: Annotated[
        Path | None, typer.Option("--output", "-o", help="Write the balanced table, CSV or Parquet.", metavar="FILE")
    ] = None,
    top: Top = 10,
    as_json: Json = False,
) -> None:
    """Adjust a reported table so that it adds up: RAS, with negative cells GRAS, weighted by standard errors.

    Exit code 4 if the totals do not hold at the end; 2 if they contradict each other, with the rows and columns named.
    """
    from ..atomic import new_file
    from ..data.balancing.table import balance_table as adjust
    from ..solvers.solution import Status

    reported = _read(table)
    row_totals, row_error = _totals(rows, "--rows")
    column_totals, column_error = _totals(columns, "--columns")
    if out is not None and out.suffix not in (".csv", ".parquet"):
        raise OptionError(f"--output {out}: expected a file that ends in .csv or .parquet")
    if out is not None and out.resolve() in {path.resolve() for path in (table, rows, columns) if path is not None}:
        raise ProblemError(f"{out}: is a table that was read; choose another file")
    found = adjust(
        reported,
        row_totals,
        column_totals,
        cell_error=cell_error,
        row_error=row_error,
        column_error=column_error,
        method=method,
        tolerance=tolerance,
    )
    if out is not None:
        with new_file(out) as stream:
            found.table.to_csv(stream) if out.suffix == ".csv" else found.table.to_parquet(stream)
        say(f"wrote {out}")
    most = found.changes(top)
    numbers = most[["reported", "balanced", "change"]].to_numpy().tolist()
    changes: list[tuple[Any, ...]] = [(key[1], key[2], *line) for key, line in zip(most.index, numbers, strict=True)]
    done = found.status is Status.OPTIMAL
    if as_json:
        print_json(
            {
                "status": found.status,
                "why": found.info.why,
                "largest_residual": found.largest_residual,
                "distance": found.distance,
                "iterations": found.info.iterations,
                "method": found.info.method,
                "changes": [dict(zip(("row", "column", "reported", "balanced"), c[:4], strict=True)) for c in changes],
            }
        )
    else:
        typer.echo(f"{found.status.value}: {found.info.why}")
        typer.echo(f"largest residual {found.largest_residual:.3g}, distance {found.distance:.6g}")
        for note in found.info.notes:
            say(f"note: {note}")
        lines = [(label(c[0]), label(c[1]), *(f"{value:.6g}" for value in c[2:])) for c in changes]
        heads = ("row", "column", "reported", "balanced", "change")
        print_table(
            f"What changed most, {len(lines)} of {sum(p.value.size for p in found.parts):,} cells", heads, lines
        )
    finish(Exit.DONE if done else Exit.LIMIT)


def _read(path: Path) -> pd.DataFrame:
    """A table with labels in its first column."""
    import pandas as pd

    if not path.is_file():
        raise ProblemError(f"{path}: no such file")
    try:
        frame = pd.read_parquet(path) if path.suffix == ".parquet" else pd.read_csv(path, index_col=0)
    except (ValueError, OSError) as error:
        raise ProblemError(f"{path}: cannot be read as a table: {error}") from error
    if path.suffix != ".parquet":
        frame.index = frame.index.astype(str)
    frame.columns = frame.columns.astype(str)
    return frame


def _totals(path: Path | None, option: str) -> tuple[pd.Series | None, Any]:
    """Totals and their standard errors (0 if the file has none)."""
    if path is None:
        return None, 0.0
    frame = _read(path)
    if frame.shape[1] not in (1, 2):
        raise ProblemError(f"{option} {path}: {frame.shape[1] + 1} columns, expected label, total and maybe error")
    return frame.iloc[:, 0], frame.iloc[:, 1] if frame.shape[1] == 2 else 0.0
