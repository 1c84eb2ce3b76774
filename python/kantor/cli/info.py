"""``kantor info``."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from .console import label, print_json


def info(as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False) -> None:
    """Versions, native core, backends with reasons, devices, data folder, threads, MPI."""
    from ..config import show_config

    config = show_config()
    if as_json:
        print_json(config)
        return
    rows = _rows(config)
    width = max(len(name) for name, _ in rows)
    for name, words in rows:
        typer.echo(f"{name:<{width}}  {words}")


def _rows(config: dict[str, Any]) -> list[tuple[str, str]]:
    rows = []
    for key, value in config.items():
        name = key.replace("_", " ")
        if isinstance(value, dict):
            rows += [(f"{name}: {label(inner)}", _words(item)) for inner, item in value.items()]
        else:
            rows.append((name, _words(value)))
    return rows


def _words(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return ", ".join(str(item) for item in value) or "none"
    return str(value)
