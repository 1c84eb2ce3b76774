"""``kantor export``: a plan's tables, or its exact model, for other programs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..errors import OptionError, ProblemError
from .console import print_json, say
from .plan import Json

if TYPE_CHECKING:
    from ..planning.plan import Plan

MODELS = (".mps", ".mps.gz", ".lp")


def export(
    plan: Annotated[
        Path,
        typer.Argument(metavar="PLAN", help="A plan folder; for a model also a scenario file.", show_default=False),
    ],
    out: Annotated[
        Path,
        typer.Option(
            "-o",
            "--out",
            metavar="FILE|DIR",
            help="tables.xlsx, tables.nc, or a folder; model.mps, model.mps.gz or model.lp.",
            show_default=False,
        ),
    ],
    format: Annotated[
        str | None,
        typer.Option(help="csv, excel, netcdf or parquet.", show_default="by the ending; of a folder csv"),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace what is there.")] = False,
    as_json: Json = False,
) -> None:
    """Write a plan's tables (CSV, Excel, netCDF, Parquet) or its exact model (MPS, LP).

    Tables: plan, activity, products, limits, bottlenecks, with labels and units. Models: names are the plan's labels;
    those that had to change stand in FILE.names.csv. A model is built again from the plan's scenario.
    """
    facts = _model(plan, out, format, force) if out.name.lower().endswith(MODELS) else _tables(plan, out, format, force)
    if as_json:
        print_json({"plan": plan, "written": out, **facts})
    else:
        say(f"wrote {out}" + (f" and {facts['names']}" if facts.get("names") else ""))


def _tables(folder: Path, out: Path, format: str | None, force: bool) -> dict[str, Any]:
    from ..planning.export import export as write
    from ..planning.export import format_of
    from ..planning.folder import load_plan

    kind = format_of(out, format)
    write(load_plan(folder), out, format, overwrite=force)
    return {"format": kind}


def _model(plan: Path, out: Path, format: str | None, force: bool) -> dict[str, Any]:
    if format is not None:
        raise OptionError(f"--format {format}: does not apply to {out.name}, whose ending says what it is")
    if out.exists() and not force:
        raise ProblemError(f"{out}: exists already; name another, or give --force")
    built = _built(plan)
    names = (built.write_lp if out.name.lower().endswith(".lp") else built.write_mps)(out)
    table = out.with_name(out.name + ".names.csv")
    return {
        "format": "lp" if out.suffix.lower() == ".lp" else "mps",
        "rows": len(names.rows),
        "columns": len(names.columns),
        "names": str(table) if names.changed else None,
    }


def _built(path: Path) -> Plan:
    """The plan of a scenario file, or of the scenario that a plan folder keeps."""
    from ..planning.record import read_record
    from ..planning.scenario import build, load_scenario
    from ..planning.verify import changed_inputs, raw_input

    if not path.is_dir():
        return build(load_scenario(path))
    record = read_record(path)
    if record["scenario"] is None:
        raise ProblemError(
            f"{path}: the plan was made in Python, without a scenario to build its model from; use Plan.write_mps there"
        )
    economy, scenario = raw_input(path, record)
    assert scenario is not None
    for change in changed_inputs(path, economy, scenario, record):
        raise ProblemError(f"{path}: {change}; export the scenario file for the model of today's data")
    return build(scenario)
