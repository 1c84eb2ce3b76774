"""``kantor template``: an economy to fill in, as a text, a workbook or a folder of CSV files."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .console import print_json, say
from .plan import Json


def template(
    path: Annotated[
        Path,
        typer.Argument(
            metavar="FILE|DIR",
            help="village.txt, village.xlsx, or a folder for CSV files; it must not exist.",
            show_default=False,
        ),
    ],
    empty: Annotated[bool, typer.Option("--empty", help="Headings only, without the example.")] = False,
    as_json: Json = False,
) -> None:
    """Write an exemplary economy to change: goods, factors, techniques, targets, limits.

    kantor check reads it and names the cell or line of what does not fit; a scenario plans it with source = its path.
    """
    from ..data.forms.template import template as write

    written = write(path, empty=empty)
    if as_json:
        print_json({"template": written, "empty": empty})
    else:
        say(f"wrote {written}")
