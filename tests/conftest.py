"""Shared fixtures: backends with their availability, published cases, data sets; each skips with its reason."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from kantor.backends import BACKENDS, Backend, get_backend
from kantor.errors import BackendUnavailable
from villages import SCENARIO, Table

ROOT = Path(__file__).resolve().parents[1]


def shared_folder(name: str) -> Path:
    """The folder ``name`` beside the data sets, or skip: $KANTOR_SHARED, else ../shared next to the checkout."""
    root = Path(os.environ.get("KANTOR_SHARED", ROOT.parent / "shared"))
    folder = root / name
    if not folder.is_dir():
        pytest.skip(f"needs the folder {name!r}, looked for under {root}; set KANTOR_SHARED")
    return folder


@pytest.fixture(params=list(BACKENDS))
def backend(request: pytest.FixtureRequest) -> Backend:
    """Every backend in turn; one that cannot run here is skipped with its own reason."""
    try:
        return get_backend(request.param)
    except BackendUnavailable as error:
        pytest.skip(f"backend {request.param}: {error}")


@pytest.fixture
def case() -> Any:
    """A function that loads one published case by id."""

    def load(identifier: str) -> dict[str, Any]:
        return json.loads((shared_folder("cases") / f"{identifier}.json").read_text())

    return load


@pytest.fixture
def scenario(tmp_path: Path) -> Callable[..., Path]:
    """A function that writes a small economy and a scenario for it, and returns the scenario's path."""

    def make(table: Table | None = None, text: str = SCENARIO, **words: str) -> Path:
        words = {"kind": "max-scale", "at_most": "90%", "source": "village", **words}
        if not (tmp_path / "village").exists():
            (table or Table()).write(tmp_path / "village")
        file = tmp_path / "scenario.toml"
        file.write_text(text.format(**words))
        return file

    return make


@pytest.fixture
def labelled() -> tuple[pd.DataFrame, pd.Series]:
    """A small table of coefficients and a demand, both labelled."""
    names = ["corn", "iron", "coal"]
    A = pd.DataFrame([[0.1, 0.2, 0.0], [0.3, 0.1, 0.4], [0.0, 0.5, 0.1]], index=names, columns=names)
    return A, pd.Series([1.0, 2.0, 3.0], index=names, name="demand")
