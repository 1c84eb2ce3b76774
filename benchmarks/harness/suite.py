"""Cases times solvers: build the instances, launch what is missing, judge every answer, keep every outcome."""

from __future__ import annotations

import json
import statistics
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .files import Arrays, fingerprint, read_arrays, write_arrays, write_json
from .launch import Limits, launch
from .store import Results

Forms = dict[str, Arrays]


@dataclass(frozen=True)
class Solver:
    """One way to solve: ``call`` is module:function of ``harness.peers``, ``form`` the arrays it reads.

    ``largest``: cases of a larger size are recorded as not run, with ``why`` (a dense inverse of a million goods).
    ``quick``: whether the preset quick runs it.
    """

    name: str
    call: str
    package: str
    form: str
    options: dict[str, Any] = field(default_factory=dict)
    largest: float = float("inf")
    why: str = ""
    quick: bool = True

    @property
    def own(self) -> bool:
        """Whether it is kantor's."""
        return self.package == "kantor"


@dataclass(frozen=True)
class Case:
    """An instance: ``build`` makes the arrays of every form; ``known`` what is known of the answer."""

    name: str
    family: str
    size: int
    build: Callable[[], Forms]
    known: dict[str, Any] = field(default_factory=dict)


Judge = Callable[[Case, Forms, Solver, dict[str, Any], Arrays, float], dict[str, Any]]


@dataclass
class Suite:
    """A suite at a preset, ready to run."""

    name: str
    cases: list[Case]
    solvers: list[Solver]
    tolerances: list[float]
    limits: Limits
    judge: Judge
    python: dict[str, str]
    cache: Path

    def run(self, results: Results, tell: Callable[[str], object]) -> None:
        """Make every run that ``results`` does not have."""
        for case in self.cases:
            missing = [
                (tolerance, solver)
                for tolerance in self.tolerances
                for solver in self.solvers
                if not results.has(case.name, solver.name, tolerance, self.limits.seconds)
            ]
            forms: Forms = {}
            for tolerance, solver in missing:
                record = self._not_run(case, solver)
                if record is None:
                    files = self._files(case, tell)
                    record = self._run(case, files, forms, solver, tolerance)
                record |= {
                    "case": case.name, "family": case.family, "size": case.size, "solver": solver.name,
                    "package": solver.package, "tolerance": tolerance, "limit_s": self.limits.seconds,
                }  # fmt: skip
                results.add(record)
                tell(_line(record))

    def _not_run(self, case: Case, solver: Solver) -> dict[str, Any] | None:
        if case.size <= solver.largest:
            return None
        return {"status": "not run", "said": solver.why or f"larger than {solver.largest:g}", "verified": False}

    def _files(self, case: Case, tell: Callable[[str], object]) -> dict[str, Path]:
        """{form: file} of the instance, built once and kept in the cache folder."""
        index = self.cache / f"{case.name}.json"
        if not index.exists():
            tell(f"building {case.name}")
            self.cache.mkdir(parents=True, exist_ok=True)
            names = {}
            for form, arrays in case.build().items():
                path = self.cache / f"{case.name}.{form}.npz"
                write_arrays(path, arrays)
                names[form] = {"file": path.name, "sha256": fingerprint(arrays)}
            write_json(index, names)
        return {form: self.cache / entry["file"] for form, entry in json.loads(index.read_text()).items()}

    def _run(
        self, case: Case, files: dict[str, Path], forms: Forms, solver: Solver, tolerance: float
    ) -> dict[str, Any]:
        python = self.python.get(solver.package, self.python["*"])
        outcome, answer = launch(python, solver.call, solver.options, files[solver.form], tolerance, self.limits)
        times = outcome.get("seconds", [])
        # The first repetition warms caches; it counts only where there is no other.
        counted = times[1:] or times
        record = outcome | {"verified": False, "verified_10x": False}
        record["median_s"] = statistics.median(counted) if counted else None
        record["instance"] = json.loads((self.cache / f"{case.name}.json").read_text())[solver.form]["sha256"]
        if answer is not None:
            for form, path in files.items():
                if form not in forms:
                    forms[form] = read_arrays(path)
            record |= self.judge(case, forms, solver, outcome, answer, tolerance)
        late = record["median_s"] is not None and record["median_s"] > self.limits.patience
        if late:
            record |= {"verified": False, "verified_10x": False, "said": f"{record.get('said', '')} (after the limit)"}
        return record


def _line(run: dict[str, Any]) -> str:
    seconds = f"{run['median_s']:.3g} s" if run.get("median_s") is not None else "-"
    verdict = "verified" if run["verified"] else ("10x" if run.get("verified_10x") else "not verified")
    words = f"{run['case']:<28} {run['tolerance']:<6.0e} {run['solver']:<24} {seconds:>9}  {run['status']}, {verdict}"
    return words if run["verified"] else f"{words} ({str(run.get('said', '')).strip()[:70]})"
