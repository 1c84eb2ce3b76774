"""Sheets of cells from a workbook or a folder of CSV files, each cell with its address for messages."""

from __future__ import annotations

import csv
import io
import math
import re
import zipfile
from dataclasses import dataclass, field
from datetime import date, datetime, time
from pathlib import Path
from typing import Any

from ...errors import ProblemError, need
from ..economy import Source
from ..tables import TableReader

_COMMA = re.compile(r"[+-]?\d{1,3}(?:[.  ]?\d{3})*,\d+(?:[eE][+-]?\d+)?")
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?")
_ERRORS = ("#N/A", "#DIV/0!", "#NAME?", "#NULL!", "#NUM!", "#REF!", "#VALUE!", "#SPILL!", "#CALC!")


@dataclass(frozen=True)
class Sheet:
    """A table of cells: ``where`` for messages, rows of values, whether all values are texts (CSV), formulas without a
    stored result by (row, column)."""

    name: str
    where: str
    rows: list[list[Any]]
    textual: bool
    formulas: dict[tuple[int, int], str] = field(default_factory=dict)

    def place(self, row: int, column: int) -> str:
        """ "file.xlsx: sheet inputs, cell C7"; ``row`` and ``column`` count from 0."""
        return f"{self.where}, cell {letters(column)}{row + 1}"

    def text(self, row: int, column: int, what: str) -> str:
        """The text of a cell; ProblemError for an empty one or an error of the spreadsheet."""
        value = self.raw(row, column)
        self._refuse(value, row, column, what)
        if value is None:
            raise ProblemError(f"{self.place(row, column)}: empty, expected {what}")
        if isinstance(value, float) and value == int(value):
            return str(int(value))  # a label such as 111200 that the spreadsheet took for a number
        return " ".join(str(value).split())

    def number(self, row: int, column: int, what: str) -> float:
        """The number of a cell; ProblemError with the cell for anything else."""
        value, place = self.raw(row, column), self.place(row, column)
        self._refuse(value, row, column, what)
        if value is None:
            raise ProblemError(f"{place}: empty, expected {what}")
        if isinstance(value, str):
            return self._written(value, place, what)
        if not math.isfinite(value):
            raise ProblemError(f"{place}: {value!r}, expected {what} that is finite")
        return float(value)

    def _written(self, text: str, place: str, what: str) -> float:
        if _COMMA.fullmatch(text):
            raise ProblemError(f"{place}: {text!r} has a decimal comma; write the number with a point, or as a number")
        if _NUMBER.fullmatch(text) and math.isfinite(float(text)):
            if self.textual:
                return float(text)
            raise ProblemError(f"{place}: {text!r} is a number stored as text; format the cell as a number")
        if text.casefold() in ("nan", "na", "n/a", "inf", "-inf"):
            raise ProblemError(f"{place}: {text!r}, expected {what} that is finite; leave out rows that are not known")
        raise ProblemError(f"{place}: text {text!r} where a number is expected ({what})")

    def _refuse(self, value: Any, row: int, column: int, what: str) -> None:
        place = self.place(row, column)
        if isinstance(value, bool):
            raise ProblemError(f"{place}: {value}, expected {what}")
        if isinstance(value, datetime | date | time):
            raise ProblemError(f"{place}: the date {value}, expected {what}; format the cell as a number or text")
        if isinstance(value, str) and value in _ERRORS:
            raise ProblemError(f"{place}: the error {value} of the spreadsheet, expected {what}; correct its formula")
        if value is None and (row, column) in self.formulas:
            raise ProblemError(
                f"{place}: the formula {self.formulas[row, column]} without a stored result; open and save the "
                "workbook "
                "in a spreadsheet program, or write the value"
            )

    def filled(self, row: int, column: int) -> bool:
        """Whether the cell holds a value, or a formula without one."""
        return self.raw(row, column) is not None or (row, column) in self.formulas

    def raw(self, row: int, column: int) -> Any:
        """The value of a cell; None for an empty one."""
        cells = self.rows[row]
        value = cells[column] if column < len(cells) else None
        if isinstance(value, str):
            value = value.strip()
        return None if value == "" else value


def letters(column: int) -> str:
    """The letters of a column that counts from 0.

    >>> letters(0), letters(27)
    ('A', 'AB')
    """
    text, number = "", column + 1
    while number:
        number, rest = divmod(number - 1, 26)
        text = chr(ord("A") + rest) + text
    return text


def sheets_of_workbook(path: Path) -> tuple[list[Sheet], list[Source]]:
    """All sheets of a workbook; merged cells are refused, for nobody can say which of them holds the value."""
    reader = TableReader(path.parent)
    found = []
    for sheet, merged in read_workbook(reader, path):
        if sheet.name.startswith("_") or sheet.name.casefold() == "read me":
            continue
        if merged:
            raise ProblemError(f"{sheet.where}, cells {merged[0]} are merged; unmerge them and fill in every cell")
        found.append(sheet)
    return found, reader.sources


def read_workbook(reader: TableReader, path: Path) -> list[tuple[Sheet, list[str]]]:
    """Every sheet of a workbook, and its ranges of merged cells; formulas count as filled even if nobody has
    computed them."""
    openpyxl = need("openpyxl", "workbooks (.xlsx)")
    content = reader.bytes(path.name)
    try:
        book = openpyxl.load_workbook(io.BytesIO(content), data_only=True)
        written = openpyxl.load_workbook(io.BytesIO(content), data_only=False)
    except (zipfile.BadZipFile, KeyError, ValueError, OSError, TypeError) as error:
        raise ProblemError(f"{path}: not a readable workbook ({error})") from error
    found = []
    for page in book.worksheets:
        rows = [_floats(list(row)) for row in page.iter_rows(values_only=True)]
        formulas = {
            (cell.row - 1, cell.column - 1): str(cell.value)
            for row in written[page.title].iter_rows()
            for cell in row
            if cell.data_type == "f"
        }
        sheet = Sheet(page.title, f"{path}: sheet {page.title}", rows, False, formulas)
        found.append((sheet, sorted(str(cells) for cells in page.merged_cells.ranges)))
    return found


def _floats(row: list[Any]) -> list[Any]:
    return [float(v) if isinstance(v, int) and not isinstance(v, bool) else v for v in row]


def sheets_of_folder(folder: Path) -> tuple[list[Sheet], list[Source]]:
    """All CSV files of a folder; separated by commas, semicolons or tabs, whichever its first line holds."""
    reader = TableReader(folder)
    found = []
    for path in sorted(path for path in folder.iterdir() if path.suffix.casefold() == ".csv"):
        if path.name.startswith("_"):
            continue
        found.append(Sheet(path.stem, str(path), csv_rows(reader, path.name), True))
    return found, reader.sources


def csv_rows(reader: TableReader, name: str) -> list[list[Any]]:
    """The cells of a CSV file as texts."""
    path = reader.folder / name
    try:
        text = reader.bytes(name).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ProblemError(f"{path}: not a text in UTF-8 ({error.reason}); save it as CSV UTF-8") from error
    return split_csv(text, path, lines=1)


def split_csv(text: str, path: Path, lines: int = 10) -> list[list[Any]]:
    """The cells of a text, whose separator is the one that its first ``lines`` hold most of: one where headings come
    first, more where titles may."""
    head = "\n".join(text.split("\n", lines)[:lines])
    separator = max(",;\t", key=head.count)
    try:
        return [list(row) for row in csv.reader(io.StringIO(text), delimiter=separator, strict=True)]
    except csv.Error as error:
        raise ProblemError(f"{path}: not a readable CSV file ({error})") from error
