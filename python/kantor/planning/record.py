"""The format of a plan folder on the level of files: names, version, hashes, and reading with clear errors.

Writers and the verifier share this and nothing else; it knows no solver.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pandas as pd

from ..errors import ProblemError

FORMAT, VERSION = "kantor plan", 1
TABLES = ("activity.parquet", "consumption.parquet", "prices.parquet", "rents.parquet", "use.parquet")
# What a price consists of: only for optimal plans of square economies.
PARTS = "price_parts.parquet"
# The exact vertex, where one was asked for and found.
VERTEX = ("vertex_techniques.parquet", "vertex_products.parquet", "vertex_limits.parquet")
INPUT = "input"
# The plan folder of the objective before, in an order of priority.
BEFORE = "before"


def read_record(folder: Path) -> dict[str, Any]:
    """The content of plan.json; ProblemError if it is missing, no JSON, or of another format."""
    path = folder / "plan.json"
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ProblemError(f"{folder}: no plan folder, it has no plan.json") from None
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise ProblemError(f"{path}: cannot be read, it may be truncated: {error}") from error
    if not isinstance(record, dict) or record.get("format") != FORMAT:
        raise ProblemError(f"{path}: not a plan of this software")
    if record.get("version") != VERSION:
        raise ProblemError(f"{path}: format version {record.get('version')!r}, this software reads {VERSION}")
    return record


def read_table(folder: Path, name: str) -> pd.DataFrame:
    """One table of a plan folder; ProblemError naming the file if it is missing or damaged."""
    path = folder / name
    if not path.is_file():
        raise ProblemError(f"{path}: missing from the plan folder")
    try:
        return pd.read_parquet(path)
    except Exception as error:  # pyarrow raises its own, OSError or ValueError, by the kind of damage
        raise ProblemError(f"{path}: cannot be read, it may be truncated: {error}") from error


def number(stored: float | str | None) -> float:
    """A number as plan.json keeps it: "inf" and "-inf" are text, null is NaN, what does not apply."""
    return float("nan") if stored is None else float(stored)


def digest(record: dict[str, Any]) -> str:
    """SHA-256 of a record without its own digest."""
    rest = {key: value for key, value in record.items() if key != "digest"}
    return hashlib.sha256(json.dumps(rest, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def written(record: dict[str, Any]) -> bytes:
    """The bytes of plan.json: one way to write a record, so that not even a blank can change unnoticed."""
    return (json.dumps(record, indent=1, ensure_ascii=False, allow_nan=False) + "\n").encode()


def sha256_of(path: Path) -> str:
    """SHA-256 of a file's bytes."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
