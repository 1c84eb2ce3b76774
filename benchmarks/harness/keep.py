"""Figures that belong together in one results file, part by part: what one run measures replaces that part only."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from kantor.bench.machine import describe

from .files import write_json


def keep(path: Path, suite: str, part: str, facts: dict[str, Any]) -> None:
    """Write ``facts`` as a part of the file, with the machine and the commit that made them."""
    document = json.loads(path.read_text()) if path.exists() else {"suite": suite, "parts": {}}
    document["parts"][part] = {"machine": describe(), **facts}
    write_json(path, document)
