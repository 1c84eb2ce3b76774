"""One table written by many ranks, each its own rows, and read as one.

A folder of Parquet files, one a rank, in the order of the rows, and ``_parts.json`` with the SHA-256 of each; it comes
last, so a folder without it is not whole. ``pandas.read_parquet(folder)`` reads it too, without looking at checksums.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from ..atomic import new_file, refuse_foreign
from ..errors import ProblemError
from .shards import sha256_of

HEAD = "_parts.json"  # readers of Parquet folders pass over names that begin so
_VERSION = 1


@dataclass(frozen=True)
class Part:
    """One file: its name, rows and checksum."""

    file: str
    rows: int
    sha256: str


def write_part(folder: str | Path, number: int, table: pd.DataFrame) -> Part:
    """Write the rows of one rank; any process may write any part."""
    path = Path(folder) / f"{number:06d}.parquet"
    with new_file(path, parents=True) as stream:
        table.to_parquet(stream, index=False)
    return Part(path.name, len(table), sha256_of(path))


def begin_parts(folder: str | Path) -> None:
    """Make room for a table: the parts of an earlier one go, anything else is left alone with a ProblemError.

    The head goes first, so that what is left at any moment is either the old table or none.
    """
    place = Path(folder)
    old = sorted(entry.name for entry in place.glob("??????.parquet")) if place.is_dir() else []
    refuse_foreign(place, [HEAD, *old], "tables in parts")
    for name in (HEAD, *old):
        (place / name).unlink(missing_ok=True)


def finish_parts(folder: str | Path, parts: Iterable[Part], **facts: Any) -> None:
    """Write the head, when all parts are there."""
    record = {"version": _VERSION, "facts": facts, "parts": [vars(part) for part in parts]}
    with new_file(Path(folder) / HEAD) as stream:
        stream.write(json.dumps(record, indent=1).encode())


def read_parts(folder: str | Path) -> tuple[pd.DataFrame, dict[str, Any]]:
    """(the whole table, its facts); ProblemError that names a part which is missing or damaged."""
    path = Path(folder) / HEAD
    try:
        record = json.loads(path.read_text())
        parts, facts = [Part(**part) for part in record["parts"]], record["facts"]
        if record["version"] != _VERSION:
            raise ProblemError(f"{path}: has format {record['version']}, this version reads {_VERSION}")
    except OSError as error:
        why = f"cannot be read ({error.strerror or error}): is {folder} a table in parts, and whole?"
        raise ProblemError(f"{path}: {why}") from None
    except (ValueError, KeyError, TypeError) as error:
        raise ProblemError(f"{path}: is damaged ({error})") from None
    found = [_read(Path(folder) / part.file, part) for part in parts]
    return pd.concat(found, ignore_index=True), facts


def _read(path: Path, part: Part) -> pd.DataFrame:
    try:
        if sha256_of(path) != part.sha256:
            raise ProblemError(f"{path}: its SHA-256 is not the one in {HEAD}: the part is damaged or of another run")
        table = pd.read_parquet(path)
    except OSError as error:
        raise ProblemError(f"{path}: cannot be read ({error.strerror or error})") from None
    if len(table) != part.rows:
        raise ProblemError(f"{path}: {len(table)} rows, {HEAD} says {part.rows}")
    return table
