"""``kantor check``, ``kantor balance`` and ``kantor values``: what a table says before any plan."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..backends.world import once
from ..errors import OptionError, ProblemError
from ..report.labels import entries, records
from ..report.numbers import amount, quantity
from .console import Exit, finish, label, print_json, print_table, say
from .plan import Json
from .progress import steps
from .sharded import balance_shards, is_sharded

if TYPE_CHECKING:
    import pandas as pd

    from ..data.economy import Economy

Table = Annotated[
    str,
    typer.Argument(
        metavar="TABLE", help="A data set's name, a folder with economy.toml, or one table file.", show_default=False
    ),
]
Year = Annotated[int | None, typer.Option(help="Year, for data sets that have several.", show_default="the last")]
Technology = Annotated[str | None, typer.Option(help="Which coefficients, where there are several: total or domestic.")]
Assumption = Annotated[
    str | None, typer.Option(help="Supply-use tables: joint, industry-technology or product-technology.")
]
Kind = Annotated[str | None, typer.Option("--table", help="A or Z: what a single table file holds.", metavar="A|Z")]
With = Annotated[
    list[str] | None,
    typer.Option(
        "--with",
        help="More files for a single table: demand=, output=, factors= or intensities=FILE.",
        metavar="PART=FILE",
    ),
]
Csv = Annotated[Path | None, typer.Option("--csv", help="Write all rows as CSV.", metavar="FILE")]
Parquet = Annotated[Path | None, typer.Option("--parquet", help="Write all rows as Parquet.", metavar="FILE")]
Top = Annotated[int, typer.Option(help="How many rows to print.", min=1)]


def check(
    table: Table,
    year: Year = None,
    technology: Technology = None,
    assumption: Assumption = None,
    kind: Kind = None,
    parts: With = None,
    strict: Annotated[bool, typer.Option("--strict", help="Exit with 2 if an identity does not hold.")] = False,
    as_json: Json = False,
) -> None:
    """Check a table: identities, spectral radius, negatives, zero outputs, spread of units.

    Exit code 0 whatever the report says, unless --strict; 2 if the table cannot be read.
    """
    from ..data.checks import check_economy

    with steps(quiet=as_json) as step:
        step.begin(f"reading {table}")
        economy = _load(table, year=year, technology=technology, assumption=assumption, table=kind, parts=parts)
        step.begin("checking")
        found = check_economy(economy)
    if as_json:
        print_json({**found.to_dict(), "table_notes": economy.notes})
    else:
        typer.echo(str(found))
    finish(Exit.BAD_INPUT if strict and not found.ok else Exit.DONE)


def balance(
    table: Table,
    demand: Annotated[str, typer.Option(help="A demand category, region, or 'total'.")] = "total",
    indicators: Annotated[
        list[str] | None,
        typer.Option(
            "--indicator", "-i", help="Indicator or alias to show; repeat for several.", show_default="the first three"
        ),
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
    """Gross output, use and footprints of delivering a final demand with the table's technology.

    A footprint is what all suppliers of a product use, directly and indirectly, for the final demand of that product.
    A folder of shards (kantor generate regional) is solved with the final demand that lies in it, every rank of mpiexec
    or srun reading only its own; --parquet then names a folder that they write together.
    """
    if is_sharded(table):
        balance_shards(Path(table), top, parquet, as_json, demand != "total" or bool(indicators or csv))
        return
    with steps(quiet=as_json) as step:
        step.begin(f"reading {table}")
        economy = _load(
            table, year=year, technology=technology, assumption=assumption, table=kind, parts=parts
        ).for_demand(demand)
        wanted = economy.demand(demand)
        shown = _indicators(economy, indicators)
        step.begin("solving")
        rows, use = _balance(economy, wanted)
    _export(economy, rows, csv, parquet)
    columns = ["final_demand", "gross_output", *(f"footprint {name}" for name in shown if f"footprint {name}" in rows)]
    largest = rows[columns].sort_values(columns[min(2, len(columns) - 1)], ascending=False, kind="stable").head(top)
    if as_json:
        totals = {"final_demand": float(wanted.sum()), "gross_output": float(rows["gross_output"].sum())}
        units = {"product": economy.unit, **_units(economy)}
        print_json(
            {"economy": economy.name, "demand": demand, **totals, "use": use, "units": units, "largest": largest.T}
        )
        return
    typer.echo(f"{economy.name}: final demand {demand!r}, {len(rows):,} products")
    print_table(
        "Use",
        ("indicator", "total"),
        [(str(k), quantity(v, _units(economy)[k])) for k, v in entries(use)],
    )
    _print_balance(economy, rows[columns], largest)


def values(
    table: Table,
    by: Annotated[
        str, typer.Option(help="Indicator or alias to value products by: labour, energy, ghg, ...")
    ] = "labour",
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
    """What one unit of every product takes, directly and indirectly: v = A'v + l."""
    with steps(quiet=as_json) as step:
        step.begin(f"reading {table}")
        economy = _load(table, year=year, technology=technology, assumption=assumption, table=kind, parts=parts)
        name = economy.indicator_name(by)
        step.begin("solving")
        direct, total = _multipliers(economy, [name])
    import pandas as pd

    rows = pd.DataFrame({"direct": direct[name], "value": total[name]})
    _export(economy, rows, csv, parquet)
    unit = _per_unit(economy, name)
    if as_json:
        print_json({"economy": economy.name, "indicator": name, "unit": unit, "values": rows["value"]})
        return
    ordered = rows.sort_values("value", ascending=False, kind="stable").head(top)
    names = economy.readable_names()
    lines = [(_named(names, k), f"{row['direct']:.6g}", f"{row['value']:.6g}") for k, row in records(ordered)]
    print_table(
        f"{economy.name}: {name} in {unit}, {len(lines)} of {len(rows):,}", ("product", "direct", "value"), lines
    )


def _load(name: str, *, parts: list[str] | None, **options: Any) -> Economy:
    from ..data.datasets import load_economy

    given = {key: value for key, value in options.items() if value is not None}
    for part in parts or []:
        key, sign, file = part.partition("=")
        if not sign or not file:
            raise OptionError(f"--with {part}: expected PART=FILE, for instance demand=Y.csv")
        given[key] = file
    economy = load_economy(name, **given)
    for note in economy.notes:
        say(f"note: {note}")
    return economy


def _indicators(economy: Economy, asked: list[str] | None) -> list[str]:
    """Labels of the indicators to show: those asked for, else those with an alias, at most three."""
    if asked:
        return [economy.indicator_name(name) for name in asked]
    aliased = list(dict.fromkeys(economy.aliases.values()))
    return (aliased or [str(name) for name in economy.indicators])[:3]


def _multipliers(economy: Economy, indicators: list[str]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Direct use and total use per unit of product, products x indicators, by the technique that carries its label."""
    import pandas as pd
    import scipy.sparse as sp

    from ..data.base import own_techniques
    from ..solvers.leontief import values as total_use

    own = own_techniques(economy)
    if own is None:
        raise ProblemError(
            f"{economy.name}: values need one technique for each product that makes it alone; "
            "for a supply-use table choose --assumption industry-technology or product-technology"
        )
    square = sp.csr_array(economy.input_coefficients[:, own])
    direct = economy.intensities.loc[indicators].to_numpy()[:, own].T
    total = total_use(square, direct)
    frame = lambda array: pd.DataFrame(array, economy.products, indicators)  # noqa: E731
    return frame(direct), frame(total)


def _balance(economy: Economy, wanted: pd.Series) -> tuple[pd.DataFrame, pd.Series]:
    """One row a product: final demand, gross output, footprints of every indicator; and total use by indicator."""
    import pandas as pd

    from ..data.base import own_techniques

    activity = economy.base_plan(wanted)
    output = economy.output_coefficients @ activity.to_numpy()
    rows = pd.DataFrame({"final_demand": wanted, "gross_output": output}, economy.products)
    if own_techniques(economy) is not None and len(economy.indicators):
        names = [str(name) for name in economy.indicators]
        _, total = _multipliers(economy, names)
        footprints = total.mul(wanted, axis=0)
        rows = rows.join(footprints.add_prefix("footprint "))
    return rows, economy.use(activity)


def _print_balance(economy: Economy, rows: pd.DataFrame, largest: pd.DataFrame) -> None:
    own = economy.unit if isinstance(economy.unit, str) else ""
    units = [_units(economy)[c.removeprefix("footprint ")] if c.startswith("footprint ") else own for c in rows.columns]
    feet = [c.removeprefix("footprint ") for c in rows.columns[2:]]
    heads = ["final demand", "gross output", *feet]
    about = f"; footprints of {', '.join(feet)}" if feet else ""
    names = economy.readable_names()

    def lines(table: pd.DataFrame, words: Callable[[Any], str]) -> list[tuple[str, ...]]:
        return [
            (words(key), *(amount(float(value), unit) for value, unit in zip(row, units, strict=True)))
            for key, row in zip(table.index, table.to_numpy(), strict=True)
        ]

    if economy.products.nlevels > 1:
        groups = rows.groupby(level=0, sort=False).sum()
        groups = groups.sort_values(
            groups.columns[min(2, len(groups.columns) - 1)], ascending=False, kind="stable"
        ).head(len(largest))
        level = str(economy.products.names[0] or "group")
        print_table(f"By {level}, the {len(groups)} largest{about}", (level, *heads), lines(groups, str), ("", *units))
    title = f"By product, the {len(largest)} largest of {len(rows):,}{about}"
    print_table(title, ("product", *heads), lines(largest, lambda key: _named(names, key)), ("", *units))


def _units(economy: Economy) -> dict[str, str]:
    """Indicator -> its unit."""
    assert economy.indicator_units is not None  # the economy fills them in
    return {str(name): str(unit) for name, unit in economy.indicator_units.items()}


def _per_unit(economy: Economy, indicator: str) -> str:
    unit = economy.unit if isinstance(economy.unit, str) and economy.unit else "unit of product"
    return f"{_units(economy)[indicator]} per {unit}".strip()


def _named(names: pd.Series, key: Any) -> str:
    code, name = label(key), str(names.get(key, ""))
    return code if not name or name in (code, str(key)) else f"{name} ({code})"


@once
def _export(economy: Economy, rows: pd.DataFrame, csv: Path | None, parquet: Path | None) -> None:
    """Write the rows; never onto a file that the economy was read from."""
    from ..atomic import new_file

    for path, write in ((csv, rows.to_csv), (parquet, rows.to_parquet)):
        if path is not None:
            if str(path.resolve()) in {source.path for source in economy.sources}:
                raise ProblemError(f"{path}: is a table that was read; choose another file")
            with new_file(path) as stream:
                write(stream)
            say(f"wrote {path}")
