"""Economies as people write them: a text form, Excel workbooks and folders of CSV files, read and written.

All of them say the same things (:mod:`kantor.data.forms.statements`), so they are checked in one place, and every error
names where it is: line and column of a text, sheet and cell of a workbook, file and cell of a CSV folder.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ...errors import ProblemError

if TYPE_CHECKING:
    from ..economy import Economy

TEXT, WORKBOOK = (".txt",), (".xlsx", ".xlsm")


def is_form(path: Path) -> bool:
    """Whether ``path`` is an economy in one of the forms of this package, by its name (a folder: by its files)."""
    if path.is_dir():
        files = {entry.name.casefold() for entry in path.iterdir()}
        return not files & {"economy.toml", "economy.json"} and bool(files & {"techniques.csv", "outputs.csv"})
    return path.suffix.lower() in TEXT + WORKBOOK


def read_economy(path: str | Path) -> Economy:
    """An economy written by people: a text (``.txt``), a workbook (``.xlsx``), or a folder of CSV files.

    Text: one statement a line, see ``docs/data.md`` for the grammar. Workbook and folder: the sheets or files that
    ``kantor template`` writes. Units are those of the file; amounts are per unit of a technique's activity; limits and
    capacities become those of the economy; the whole target is the demand ``"total"``.

    Raises
    ------
    ProblemError
        with the place (line and column, or sheet and cell) of: text where a number is expected, an unknown name (with
        the nearest known one), a good in two units (both places), a technique that makes nothing, a target that nothing
        makes, a name given twice, merged cells, an empty sheet, NaN.

    >>> import tempfile, pathlib
    >>> file = pathlib.Path(tempfile.mkdtemp()) / "village.txt"
    >>> _ = file.write_text('''factor labour [hours]
    ... technique mining: 1 labour -> 4 coal [t]
    ... technique smelting: 2 coal + 1 labour -> 5 iron [t], capacity 40
    ... target 10 iron
    ... limit labour <= 100
    ... ''')
    >>> eco = read_economy(file)
    >>> eco.products.tolist(), eco.unit, eco.demand("total").to_dict(), eco.limits
    (['coal', 'iron'], 't', {'coal': 0.0, 'iron': 10.0}, {'labour': (-inf, 100.0)})
    """
    place = Path(path).expanduser()
    if not place.exists():
        raise ProblemError(f"{place}: no such file or folder; a path is read from {Path.cwd()}")
    if place.is_dir() or place.suffix.lower() in WORKBOOK:
        from .sheets import read_sheets

        statements, sources = read_sheets(place)
    elif place.suffix.lower() in TEXT:
        from .text import read_text

        statements, sources = read_text(place)
    else:
        raise ProblemError(f"{place}: expected a text (.txt), a workbook (.xlsx) or a folder of CSV files")
    from .build import build

    return build(statements).replace(sources=sources)


def write_economy(eco: Economy, path: str | Path, *, overwrite: bool = False) -> Path:
    """Write an economy as a text (``.txt``), a workbook (``.xlsx``) or a folder of CSV files, by the path's ending.

    :func:`read_economy` gives the same economy back, number by number. What these forms do not hold is refused with a
    ProblemError that says what to do: several technology tables, expanded economies, techniques that make nothing,
    labels that are no text. :func:`kantor.data.saved.save_economy` writes those.
    """
    from .collect import collect

    target = Path(path).expanduser()
    if target.exists() and not overwrite:
        raise ProblemError(f"{target}: exists already; give overwrite=True to replace it")
    statements = collect(eco)
    if target.suffix.lower() in TEXT:
        from ...atomic import new_file
        from .text_writer import written

        with new_file(target) as stream:
            stream.write(written(statements).encode("utf-8"))
    else:
        from ...atomic import refuse_foreign
        from .sheets import COLUMNS
        from .sheets_writer import write_sheets

        if target.suffix.lower() not in WORKBOOK:
            refuse_foreign(target, {*(f"{name}.csv" for name in COLUMNS), "README.txt"}, "the tables of an economy")
        write_sheets(statements, target)
    return target
