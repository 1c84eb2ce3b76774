"""Tables as a workbook (``.xlsx``): headings in bold, columns wide enough, the first row always in view."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from ..atomic import new_file
from ..errors import ProblemError, need

Rows = list[list[Any]]
_MOST_ROWS = 1_048_576  # of a sheet, by the format
_MOST_COLUMNS = 16_384


def write_workbook(tables: dict[str, Rows], path: Path, help_text: list[str] | None = None) -> None:
    """Write one sheet a table; the first row of each holds its headings. Missing and infinite numbers are left empty.

    ``help_text`` becomes a first sheet "read me". Raises ProblemError for tables that a sheet cannot hold.
    """
    openpyxl = need("openpyxl", "workbooks (.xlsx)")
    for name, rows in tables.items():
        width = max((len(row) for row in rows), default=0)
        if len(rows) > _MOST_ROWS or width > _MOST_COLUMNS:
            raise ProblemError(
                f"{path}: {name!r} has {len(rows):,} rows and {width:,} columns, a sheet holds {_MOST_ROWS:,} and "
                f"{_MOST_COLUMNS:,}; write CSV, Parquet or netCDF"
            )
    book = openpyxl.Workbook()
    book.remove(book.active)
    bold = openpyxl.styles.Font(bold=True)
    if help_text:
        page = book.create_sheet("read me")
        page.column_dimensions["A"].width = 120
        for row, line in enumerate(help_text, 1):
            page.cell(row, 1, line).data_type = "s"
    for name, rows in tables.items():
        page = book.create_sheet(name)
        for row, cells in enumerate(rows, 1):
            for column, value in enumerate(cells, 1):
                if value is None or (isinstance(value, float) and not math.isfinite(value)):
                    continue
                try:
                    cell = page.cell(row, column, value)
                except openpyxl.utils.exceptions.IllegalCharacterError as error:
                    raise ProblemError(f"{path}: {value!r} holds signs that a workbook cannot") from error
                if isinstance(value, str):
                    cell.data_type = "s"  # a name that begins with = is no formula
                if row == 1:
                    cell.font = bold
        page.freeze_panes = "A2"
        for column in range(len(rows[0]) if rows else 0):
            longest = max(len(str(row[column] or "")) for row in rows[:200] if column < len(row))
            page.column_dimensions[openpyxl.utils.get_column_letter(column + 1)].width = min(max(longest + 2, 10), 60)
    with new_file(path) as stream:
        book.save(stream)
