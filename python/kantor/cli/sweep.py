"""``kantor sweep``: one scenario for several values of one of its keys."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from ..report.numbers import exact
from .console import Exit, finish, plain, print_json, print_table, say
from .plan import Json


def sweep(
    scenario: Annotated[Path, typer.Argument(metavar="SCENARIO", help="A TOML file.", show_default=False)],
    key: Annotated[str, typer.Argument(metavar="KEY", help="What varies, as limits.ghg.at_most.", show_default=False)],
    values: Annotated[
        str,
        typer.Option(
            metavar="LIST", help='Its values with commas between them, as "-5%,-10%,-15%".', show_default=False
        ),
    ],
    out: Annotated[
        Path | None,
        typer.Option("-o", "--out", metavar="FOLDER", help="Where to write a plan folder for each value: 01, 02, ..."),
    ] = None,
    jobs: Annotated[int, typer.Option(help="How many are solved at the same time.", min=1)] = 1,
    as_json: Json = False,
) -> None:
    """Compute a scenario for several values of one key; the table is read once. Every plan has its certificate.

    Exit code 0: all are optimal; 4: some are not.
    """
    from ..planning.sweep import sweep as solve

    table = solve(
        scenario,
        key,
        [_value(text) for text in values.split(",")],
        out,
        jobs,
        lambda value, result: say(f"{key} = {value}: {result.status.value}", quiet=as_json),
    )
    rows = table.drop(columns="plan").reset_index()
    if as_json:
        print_json(plain({"scenario": str(scenario), "key": key, "points": rows.to_dict("records")}))
    else:
        shown = [
            (str(row[key]), exact(row["objective"]), f"{row['gap']:.1e}", f"{row['change']:.4g}", row["status"])
            for row in rows.to_dict("records")
        ]
        print_table(f"Objective by {key}", (key, "objective", "gap", "per unit", "status"), shown)
    finish(Exit.DONE if (table["status"] == "optimal").all() else Exit.LIMIT)


def _value(text: str) -> Any:
    """A number where the text is one, true or false, else the text."""
    text = text.strip()
    if text in ("true", "false"):
        return text == "true"
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text
