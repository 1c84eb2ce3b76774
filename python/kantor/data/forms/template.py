"""An exemplary economy to start from: what ``kantor template`` writes."""

from __future__ import annotations

from pathlib import Path

from ...errors import ProblemError
from . import TEXT, WORKBOOK
from .sheets import COLUMNS
from .statements import Statements
from .text import parse

EXAMPLE = """\
economy "A village"
year 2026

factor labour [hours]
emission CO2 [kg]

good coal [t]
good iron [t] "pig iron"
good bread [t]

technique mining: 1 labour -> 4 coal, activity 10
technique smelting: 2 coal + 1 labour -> 5 iron + 3 CO2, capacity 40, activity 8
technique smelting with charcoal: 4 labour -> 5 iron + 1 CO2, capacity 15
technique baking: 0.5 coal + 0.1 iron + 2 labour -> 1 bread + 0.2 CO2, activity 30

target 20 iron + 30 bread
limit labour <= 120
limit CO2 <= 40
"""

_MEANING = {
    "economy": "name, year, licence, names of levels and notes of the economy",
    "goods": "what is made and used; one unit for each good",
    "factors": "what no technique makes: labour, land, fuels from abroad; and emissions (kind = emission)",
    "techniques": "ways of making goods; activity is that of the base year, if known",
    "inputs": "goods and factors that one unit of a technique's activity uses",
    "outputs": "goods that one unit of activity makes (several: joint production), and its emissions",
    "capacities": "the largest activity of a technique; techniques left out have none",
    "targets": "what people want; category is optional and sums up to the total",
    "limits": "the least and the most of a factor or emission that may be used",
}


def template(path: str | Path, *, empty: bool = False) -> Path:
    """Write a template: a text (``.txt``), a workbook (``.xlsx``) or a folder of CSV files, with a small example.

    ``empty``: only headings (of a text: only its comments). Raises ProblemError if the path exists.

    >>> import tempfile, pathlib
    >>> file = template(pathlib.Path(tempfile.mkdtemp()) / "village.xlsx")
    >>> from kantor.data.forms import read_economy
    >>> read_economy(file).n_techniques
    4
    """
    target = Path(path).expanduser()
    if target.exists():
        raise ProblemError(f"{target}: exists already; name a file or folder that does not")
    suffix = target.suffix.lower()
    if suffix in TEXT:
        from ...atomic import new_file

        text = "".join(f"# {line}".rstrip() + "\n" for line in _grammar()) + ("" if empty else "\n" + EXAMPLE)
        with new_file(target, parents=True) as stream:
            stream.write(text.encode("utf-8"))
        return target
    if suffix not in (*WORKBOOK, ""):
        raise ProblemError(f"{target}: expected a name ending in .txt or .xlsx, or a folder for CSV files")
    from .sheets_writer import write_sheets

    said = Statements("") if empty else parse(EXAMPLE, "the example")
    target.parent.mkdir(parents=True, exist_ok=True)
    return write_sheets(said, target, _help())


def _grammar() -> list[str]:
    """The grammar as the page of the text form states it."""
    from . import text

    assert text.__doc__ is not None
    grammar = text.__doc__.split("Grammar (")[1].split("::\n", 1)[1]
    lines = [line.strip() for line in grammar.splitlines()]
    return ["One statement a line; a line that begins with a blank continues the one before.", *filter(None, lines)]


def _help() -> list[str]:
    lines = [
        "An economy for kantor: kantor plan needs a scenario with source = this file; kantor check reads it alone.",
        "",
    ]
    for name, columns in COLUMNS.items():
        needed = [c for c in columns[: columns.index(None)] if c]
        others = [c for c in columns[columns.index(None) :] if c]
        more = f" (and, if wanted, {', '.join(others)})" if others else ""
        lines.append(f"{name}: {_MEANING[name]}. Columns {', '.join(needed)}{more}.")
    return [
        *lines,
        "",
        "Every sheet may have a column note, which is not read. Numbers are numbers, with a decimal point in CSV "
        "files.",
        "Names are the same on every sheet. Nothing is merged. Sheets that begin with _ are left alone.",
    ]
