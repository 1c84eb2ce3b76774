"""Supply-use tables as statistical offices publish them: a use and a make table, CSV or workbook, with titles above,
codes and names, value added below, final demand on the right, and totals.

Which row and column is what follows from the labels: what the make table makes are products, who makes it are
industries; other rows of the use table are primary inputs, other columns final demand; totals are left out.
"""

from __future__ import annotations

import gzip
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ..errors import OptionError, ProblemError, suggest
from .economy import Economy, Source
from .forms.cells import Sheet, read_workbook, split_csv
from .labels import show_some
from .sut import from_sut
from .tables import TableReader

# What statistical offices write where there is nothing.
NOTHING = frozenset(("", "-", "--", "---", "–", "—", "...", "…", ".", ":", "x", "n/a"))
_TOTAL = re.compile(r"T\d\d\d|TOT\w*|.*\btotal\b.*", re.IGNORECASE)
_HEAD = 25  # rows above the numbers that may be titles


def read_supply_use(
    use: str | Path,
    make: str | Path | None = None,
    *,
    supply: str | Path | None = None,
    assumption: str = "joint",
    **about: Any,
) -> Economy:
    """An economy from a use table and a make (industries x products) or supply table (products x industries).

    Parameters
    ----------
    use, make, supply : CSV (``.csv``, ``.csv.gz``) or workbook; a sheet is named after a colon, "IOUse.xlsx:2012", and
        is the first one otherwise. Give make or supply.
    assumption : what a technique is, see :func:`kantor.data.sut.from_sut`
    about : name, year, unit, licence, aliases, indicator_units ... of the economy; q and x, where output is not the
    sum of
        the make table

    The codes stand in the first column and in one row above the numbers; titles above, a column of names beside the
    codes, empty cells and signs for nothing ("...", "---") are understood. Totals (codes T000, words with "total") are
    left out; notes say which. Raises ProblemError with the cell of a text where a number is expected, for tables whose
    labels do not meet, and for labels that stand twice.

    >>> import tempfile, pathlib
    >>> folder = pathlib.Path(tempfile.mkdtemp())
    >>> _ = (folder / "use.csv").write_text("Use\\nCode,Name,a,b,F01,T001\\na,Corn,1,2,7,10\\nb,Iron,3,...,5,8\\n"
    ...                                     "V1,Wages,6,6,,12\\n")
    >>> _ = (folder / "make.csv").write_text(",a,b\\na,10,0\\nb,0,8\\n")
    >>> eco = read_supply_use(folder / "use.csv", folder / "make.csv", unit="USD")
    >>> eco.products.tolist(), eco.intensities.index.tolist(), eco.final_demand.to_dict("list")
    (['a', 'b'], ['V1'], {'F01': [7.0, 5.0]})
    """
    if (make is None) == (supply is None):
        raise OptionError("read_supply_use: give either make (industries x products) or supply (products x industries)")
    used, sources = _read(use)
    made, more = _read(make if make is not None else supply)  # type: ignore[arg-type]
    notes = [note for table in (used, made) for note in table.notes]
    V = made.frame if make is not None else made.frame.T
    products = [label for label in used.frame.index if label in V.columns]
    industries = [label for label in used.frame.columns if label in V.index]
    _check_match(used, made, V, products, industries)
    V = V.loc[industries, products]
    own_rows, own_columns = set(products), set(industries)
    other_rows = [label for label in used.frame.index if label not in own_rows]
    other_columns = [label for label in used.frame.columns if label not in own_columns]
    about.setdefault("name", Path(sources[0].path).stem)
    if used.names is not None and "product_names" not in about:
        about["product_names"] = used.names.loc[products].rename("name")
    eco = from_sut(
        used.frame.loc[products, industries],
        V,
        used.frame.loc[products, other_columns] if other_columns else None,
        used.frame.loc[other_rows, industries] if other_rows else None,
        assumption=assumption,
        products=pd.Index(products),
        industries=pd.Index(industries),
        notes=[*notes, *_primary_demand(used.frame, other_rows, other_columns)],
        **about,
    )
    return eco.replace(sources=[*sources, *(source for source in more if source not in sources)])


@dataclass(frozen=True)
class _Table:
    """A table with its labels; names beside the codes, or None; notes on what was left out; where it stands."""

    frame: pd.DataFrame
    names: pd.Series | None
    notes: list[str]
    where: str


def _read(given: str | Path) -> tuple[_Table, list[Source]]:
    text = str(given)
    path, sheet = text.rsplit(":", 1) if re.search(r"\.xls[xm]:[^/\\]+$", text) else (text, None)
    file = Path(str(path)).expanduser()
    reader = TableReader(file.parent)
    if file.suffix.lower() in (".xlsx", ".xlsm"):
        cells = _workbook_cells(reader, file, sheet)
    elif file.name.lower().endswith((".csv", ".csv.gz")):
        cells = _csv_cells(reader, file)
    else:
        raise ProblemError(f"{file}: expected a CSV file (.csv, .csv.gz) or a workbook (.xlsx)")
    return _table(cells), reader.sources


def _workbook_cells(reader: TableReader, file: Path, sheet: str | None) -> Sheet:
    pages = {page.name: page for page, _ in read_workbook(reader, file)}
    if sheet is not None and sheet not in pages:
        raise ProblemError(f"{file}: there is no sheet {sheet!r}" + suggest(sheet, list(pages)))
    return pages[sheet] if sheet is not None else next(iter(pages.values()))


def _csv_cells(reader: TableReader, file: Path) -> Sheet:
    content = reader.bytes(file.name)
    try:
        text = (gzip.decompress(content) if file.name.lower().endswith(".gz") else content).decode("utf-8-sig")
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise ProblemError(f"{file}: not a readable text in UTF-8 ({error})") from error
    return Sheet(file.stem, str(file), split_csv(text, file), True)


def _table(cells: Sheet) -> _Table:
    """Find the codes, and read what stands between them."""
    rows = cells.rows
    codes = [_code(row[0]) if row else "" for row in rows]
    head = _header(cells, codes)
    columns = [(c, _code(value)) for c, value in enumerate(rows[head]) if c > 0 and _code(value)]
    body = [r for r in range(head + 1, len(rows)) if codes[r]]
    if not body or not columns:
        raise ProblemError(
            f"{cells.where}: no table found; codes stand in the first column and in a row above the numbers"
        )
    body, columns, names = _without_words(cells, codes, body, columns)
    left_out = [
        label for label in (*(codes[r] for r in body), *(name for _, name in columns)) if _TOTAL.fullmatch(label)
    ]
    body = [r for r in body if not _TOTAL.fullmatch(codes[r])]
    columns = [(c, name) for c, name in columns if not _TOTAL.fullmatch(name)]
    for what, labels in (("row", [codes[r] for r in body]), ("column", [name for _, name in columns])):
        again = pd.Index(labels)[pd.Index(labels).duplicated()]
        if len(again):
            raise ProblemError(f"{cells.where}: {what} {again[0]!r} stands twice")
    values = np.array([[_value(cells, r, c) for c, _ in columns] for r in body], np.float64)
    frame = pd.DataFrame(values, [codes[r] for r in body], [name for _, name in columns])
    notes = [f"{cells.name}: totals left out: {show_some(dict.fromkeys(left_out), 6)}"] if left_out else []
    titles = None if names is None else pd.Series([_code(rows[r][names]) for r in body], frame.index, dtype=object)
    return _Table(frame, titles, notes, cells.where)


def _header(cells: Sheet, codes: list[str]) -> int:
    """The row of column codes: the one that shares most with the row codes, else the first that is full of words."""
    known = set(codes) - {""}
    shared = [len({_code(value) for value in row[1:]} & known) for row in cells.rows[:_HEAD]]
    if max(shared, default=0) >= 1:
        return int(np.argmax(shared))
    for r, row in enumerate(cells.rows[:_HEAD]):
        filled = [_code(value) for value in row[1:] if _code(value)]
        if len(filled) >= 2 and len(filled) == len(set(filled)) and not any(map(_is_number, filled)):
            return r
    raise ProblemError(f"{cells.where}: no row of column codes among the first {_HEAD} rows")


def _without_words(
    cells: Sheet, codes: list[str], body: list[int], columns: list[tuple[int, str]]
) -> tuple[list[int], list[tuple[int, str]], int | None]:
    """Leave out the column of names beside the codes, a row of names below them, and notes at the end."""

    def words(r: int, c: int) -> bool:
        text = _code(cells.rows[r][c]) if c < len(cells.rows[r]) else ""
        return text.casefold() not in NOTHING and not _is_number(cells.rows[r][c])

    first = columns[0][0]
    names = first if sum(words(r, first) for r in body) > len(body) / 2 else None
    if names is not None:
        columns = columns[1:]
    at = [c for c, _ in columns]
    if body and sum(words(body[0], c) for c in at) > len(at) / 2:
        body = body[1:]
    while body and not any(c < len(cells.rows[body[-1]]) and _code(cells.rows[body[-1]][c]) for c in at):
        body = body[:-1]
    return body, columns, names


def _value(cells: Sheet, row: int, column: int) -> float:
    raw = cells.raw(row, column)
    if not cells.filled(row, column) or (isinstance(raw, str) and raw.casefold() in NOTHING):
        return 0.0
    return cells.number(row, column, "an amount, or nothing")


def _code(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, float) and value == int(value):
        value = int(value)
    return " ".join(str(value).split())


def _is_number(value: Any) -> bool:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return True
    try:
        float(str(value))
    except ValueError:
        return False
    return True


def _check_match(used: _Table, made: _Table, V: pd.DataFrame, products: list[str], industries: list[str]) -> None:
    """Every product and industry of the make table stands in the use table too."""
    for what, mine, labels, side in (
        ("product", V.columns, set(products), used.frame.index),
        ("industry", V.index, set(industries), used.frame.columns),
    ):
        lacking = [label for label in mine if label not in labels and _any(V, what, label)]
        if lacking:
            raise ProblemError(
                f"{made.where}: {what} {lacking[0]!r} ({len(lacking)} such) is not in {used.where}"
                + suggest(lacking[0], side)
            )
    if not products or not industries:
        raise ProblemError(
            f"{made.where} and {used.where} share no products or no industries; are both the same tables?"
        )


def _any(V: pd.DataFrame, what: str, label: str) -> bool:
    """Whether the make table has an amount for it; empty rows and columns need no partner."""
    return bool((V[label] if what == "product" else V.loc[label]).abs().sum() > 0)


def _primary_demand(frame: pd.DataFrame, rows: list[str], columns: list[str]) -> list[str]:
    """A note on primary inputs that final demand takes directly, which techniques do not hold."""
    if not rows or not columns:
        return []
    direct = float(frame.loc[rows, columns].abs().to_numpy().sum())
    return [f"{direct:.6g} of primary inputs go to final demand directly and are left out"] if direct else []
