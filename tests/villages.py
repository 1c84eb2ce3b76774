"""A small economy on disk for tests of the command line, and the command line itself."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from typer.testing import CliRunner

from kantor.cli import app

SECTORS = ["wheat", "cloth", "iron"]
FLOWS = [[10.0, 5.0, 4.0], [6.0, 2.0, 3.0], [8.0, 7.0, 9.0]]
DEMAND = [30.0, 20.0, 10.0]
HOURS = [20.0, 12.0, 16.0]
SCENARIO = """
[economy]
source = "{source}"
[objective]
kind = "{kind}"
[limits.hours]
at_most = "{at_most}"
"""


def kantor(*arguments: object) -> Any:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def frame(values: Any, rows: list[str], columns: list[str]) -> pd.DataFrame:
    return pd.DataFrame(values, pd.Index(rows, name="sector"), columns)


class Table:
    """An economy folder that a test may damage before it is written."""

    def __init__(self) -> None:
        self.Z = frame(FLOWS, SECTORS, SECTORS)
        self.Y = frame(np.array(DEMAND)[:, None], SECTORS, ["final"])
        self.F = pd.DataFrame([HOURS], pd.Index(["hours"], name="resource"), SECTORS)
        self.suffix = "csv"

    def write(self, folder: Path) -> Path:
        folder.mkdir()
        for name in ("Z", "Y", "F"):
            table = getattr(self, name)
            table.to_csv(folder / f"{name}.csv") if self.suffix == "csv" else table.to_parquet(
                folder / f"{name}.parquet"
            )
        lines = [f'{name} = "{name}.{self.suffix}"' for name in ("Z", "Y", "F")]
        (folder / "economy.toml").write_text("\n".join(['kind = "iot"', 'name = "village"', "[tables]", *lines]) + "\n")
        return folder


def refused(arguments: list[object], *culprits: str, out: Path | None = None) -> None:
    """The command ends with 2, says why on standard error and as one JSON object, and writes nothing."""
    before = None if out is None else sorted(out.parent.iterdir()) if out.parent.is_dir() else []
    result = kantor(*arguments)
    assert result.exit_code == 2, result.output
    assert result.stdout == ""
    for culprit in culprits:
        assert culprit in result.stderr, f"{culprit!r} is not named in: {result.stderr}"
    assert "Traceback" not in result.stderr
    as_json = kantor(*arguments, "--json")
    assert as_json.exit_code == 2
    error = json.loads(as_json.stdout)["error"]
    assert set(error) == {"type", "message"}
    for culprit in culprits:
        assert culprit in error["message"]
    if out is not None:
        assert not out.exists()
        assert before == (sorted(out.parent.iterdir()) if out.parent.is_dir() else [])
