"""The results of a suite: one JSON file, rewritten after every run, so that an interrupted suite goes on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from kantor.bench.machine import describe
from kantor.errors import ProblemError

from .files import write_json


class Results:
    """``runs`` are kept by (case, solver, tolerance, limit); ``sessions`` say what machine and commit made them."""

    def __init__(self, path: Path, suite: str) -> None:
        self.path, self.suite = path, suite
        self.sessions: list[dict[str, Any]] = []
        self.runs: list[dict[str, Any]] = []
        if path.exists():
            try:
                found = json.loads(path.read_text())
            except ValueError as error:
                raise ProblemError(f"output: {path} is not a results file ({error})") from None
            if found.get("suite") != suite:
                raise ProblemError(f"output: {path} holds suite {found.get('suite')!r}, expected {suite!r}")
            self.sessions, self.runs = found["sessions"], found["runs"]
        self._known = {_key(run) for run in self.runs}
        self._session: int | None = None

    def has(self, case: str, solver: str, tolerance: float, limit_s: float) -> bool:
        """Whether this run is there already."""
        return (case, solver, tolerance, limit_s) in self._known

    def drop(self, solvers: list[str]) -> None:
        """Forget the runs of these solvers, to make them again."""
        self.runs = [run for run in self.runs if run["solver"] not in solvers]
        self._known = {_key(run) for run in self.runs}

    def add(self, run: dict[str, Any]) -> None:
        """Keep one run and write the file."""
        if self._session is None:
            self._session = len(self.sessions)
            self.sessions.append(describe() | {"bandwidth_gb_s": bandwidth_gb_s()})
        self.runs.append(run | {"session": self._session})
        self._known.add(_key(run))
        write_json(self.path, self.document())

    def document(self) -> dict[str, Any]:
        """What the file holds."""
        return {"suite": self.suite, "sessions": self.sessions, "runs": self.runs}


def _key(run: dict[str, Any]) -> tuple[str, str, float, float]:
    return run["case"], run["solver"], float(run["tolerance"]), float(run["limit_s"])


def bandwidth_gb_s() -> float:
    """Bytes per second of a triad on all cores, read plus written; NumPy's scaling of a vector without the core."""
    length = 20_000_000
    try:
        from kantor import _core
    except ImportError:
        import time

        x, out = np.ones(length), np.empty(length)
        seconds = []
        for _ in range(4):
            start = time.perf_counter()
            np.multiply(x, 3.0, out=out)
            seconds.append(time.perf_counter() - start)
        return 16e-9 * length / min(seconds)
    return float(_core.triad_bandwidth(length, 5)) / 1e9
