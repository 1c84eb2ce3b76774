"""Scenario files that build on others: ``extends = "base.toml"`` takes over what the other file says.

What this file says itself comes first, table by table and key by key; ``without`` names tables and keys of the other
file that do not hold here, as "trade" or "limits.co2". Both files lie in one folder, for paths are relative to it.
"""

from __future__ import annotations

import hashlib
import tomllib
from pathlib import Path
from typing import Any

from ..data.economy import Source
from ..errors import ProblemError, suggest

Table = dict[str, Any]


def read_toml(text: str, path: Path) -> Table:
    """The tables of a TOML text; ProblemError that names the file and the place."""
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ProblemError(f"{path}: {error}") from error


def whole(text: str, path: Path) -> tuple[Table, dict[str, Source]]:
    """The tables of a scenario with those it takes over, and the files they come from, by name."""
    return _whole(read_toml(text, path), path, [path.name])


def _whole(own: Table, path: Path, seen: list[str]) -> tuple[Table, dict[str, Source]]:
    base = own.pop("extends", None)
    without = own.pop("without", None)
    if base is None:
        if without is not None:
            raise ProblemError(f"{path}: without leaves out what extends brings in, but there is no extends")
        return own, {}
    if not isinstance(base, str) or Path(base).name != base:
        raise ProblemError(f"{path}: extends = {base!r}, expected the name of a scenario file in the same folder")
    if base in seen:
        raise ProblemError(f"{path}: extends = {base!r} leads back to itself: {' -> '.join([*seen, base])}")
    place = path.parent / base
    try:
        content = place.read_bytes()
        text = content.decode("utf-8-sig")
    except OSError as error:
        near = suggest(base, [file.name for file in sorted(path.parent.glob("*.toml"))])
        raise ProblemError(
            f"{path}: cannot read {base!r}, which it extends: {error.strerror or error}{near}"
        ) from error
    except UnicodeDecodeError as error:
        raise ProblemError(f"{place}: not a text file in UTF-8 ({error.reason})") from error
    tables, files = _whole(read_toml(text, place), place, [*seen, base])
    for key in _names(without, path):
        _leave_out(tables, key, path, base)
    files[base] = Source(str(place.resolve()), hashlib.sha256(content).hexdigest())
    return _merged(tables, own), files


def _names(without: Any, path: Path) -> list[str]:
    names = [] if without is None else [without] if isinstance(without, str) else without
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise ProblemError(f"{path}: without = {without!r}, expected names as ['trade', 'limits.co2']")
    return names


def _leave_out(tables: Table, key: str, path: Path, base: str) -> None:
    *way, last = key.split(".")
    inside: Any = tables
    for part in way:
        inside = inside.get(part) if isinstance(inside, dict) else None
    if not isinstance(inside, dict) or last not in inside:
        near = suggest(last, list(inside) if isinstance(inside, dict) else list(tables))
        raise ProblemError(f"{path}: without = {key!r}, of which {base} says nothing{near}")
    del inside[last]


def _merged(base: Table, own: Table) -> Table:
    """Tables are merged key by key, everything else is replaced."""
    out = dict(base)
    for key, value in own.items():
        old = out.get(key)
        out[key] = _merged(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
    return out
