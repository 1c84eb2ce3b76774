"""What commands share: exit codes, standard output against standard error, JSON, tables."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Iterable, Sequence
from enum import Enum, IntEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from ..solvers.solution import Status


class Exit(IntEnum):
    """Exit codes of every command."""

    DONE = 0
    FAILED = 1  # verify: the certificate does not hold; any command: an unexpected error
    BAD_INPUT = 2
    INFEASIBLE = 3  # or unbounded
    LIMIT = 4  # iteration or time limit; the best point is written
    INTERRUPTED = 130


def exit_code(status: Status) -> Exit:
    """The exit code of a solve that ended with ``status``."""
    from ..solvers.solution import Status

    return {
        Status.OPTIMAL: Exit.DONE,
        Status.PRIMAL_INFEASIBLE: Exit.INFEASIBLE,
        Status.DUAL_INFEASIBLE: Exit.INFEASIBLE,
        Status.ITERATION_LIMIT: Exit.LIMIT,
        Status.TIME_LIMIT: Exit.LIMIT,
        Status.INTERRUPTED: Exit.INTERRUPTED,
        Status.NUMERICAL_ERROR: Exit.FAILED,
    }[status]


def finish(code: Exit) -> None:
    """End the command with this exit code."""
    if code:
        raise typer.Exit(int(code))


def stderr() -> Console:
    """Where messages and progress go."""
    from rich.console import Console

    return Console(stderr=True, highlight=False, soft_wrap=True)


def say(text: str, *, quiet: bool = False) -> None:
    """One message on standard error."""
    if not quiet:
        typer.echo(text, err=True)


def print_json(value: Any) -> None:
    """One JSON object on standard output; NaN and infinities become null."""
    typer.echo(json.dumps(plain(value), ensure_ascii=False, allow_nan=False))


def plain(value: Any) -> Any:
    """Turn results into what JSON knows: NumPy and pandas values, enums, paths; a label tuple becomes 'a / b'.

    >>> plain({"gap": float("nan"), ("USA", "steel"): Path("x")})
    {'gap': None, 'USA / steel': 'x'}
    """
    if value is None or isinstance(value, bool | str):
        return value
    if isinstance(value, Enum):
        return plain(value.value)
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, dict):
        return {label(key): plain(item) for key, item in value.items()}
    if isinstance(value, Path):
        return str(value)
    if dataclasses.is_dataclass(value):
        return {field.name: plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if hasattr(value, "to_dict"):  # pandas
        return plain(value.to_dict())
    if hasattr(value, "tolist"):  # NumPy
        return plain(value.tolist())
    if isinstance(value, Iterable):
        return [plain(item) for item in value]
    return str(value)


def label(key: Any) -> str:
    """Words for one label of a table: levels of a MultiIndex joined with ' / '."""
    return " / ".join(str(part) for part in key if part != "") if isinstance(key, tuple) else str(key)


def print_table(
    title: str, head: Sequence[str], rows: Iterable[Sequence[str]], units: Sequence[str] | None = None
) -> None:
    """A table on standard output, after a blank line: the first column aligned left, all others right.

    ``units`` is a second line of headings.
    """
    heads = [list(head)] if units is None else [list(head), list(units)]
    lines = [*heads, *(list(row) for row in rows)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(head))]
    text = [
        "  ".join([line[0].ljust(widths[0]), *(c.rjust(w) for c, w in zip(line[1:], widths[1:], strict=True))]).rstrip()
        for line in lines
    ]
    text.insert(len(heads), "─" * (sum(widths) + 2 * (len(widths) - 1)))
    typer.echo("\n".join(["", title, *text]))
