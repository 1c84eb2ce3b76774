"""Write the figures of docs/benchmarks.md from benchmarks/results/*.json; ``--check`` says whether they are current.

python benchmarks/render.py [--check]
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

from harness import summary

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "benchmarks.md"
SUITES = ("leontief", "lp", "planning")


def main(check: bool) -> int:
    """Replace what stands between the markers ``<!-- results SUITE -->`` and ``<!-- end -->``."""
    text = PAGE.read_text()
    new = text
    for suite in SUITES:
        body = section(suite)
        marker = re.compile(rf"(<!-- results {suite} -->\n).*?(<!-- end -->)", re.DOTALL)
        if not marker.search(new):
            print(f"{PAGE.name}: no marker for the results of {suite}", file=sys.stderr)
            return 1
        new = marker.sub(lambda found, body=body: found.group(1) + body + found.group(2), new)
    if check:
        if new != text:
            print(f"{PAGE.name} is not what benchmarks/render.py makes of the results", file=sys.stderr)
        return int(new != text)
    PAGE.write_text(new)
    return 0


def section(suite: str) -> str:
    """All results files of a suite: machine, tables, and where a peer was faster."""
    parts = []
    for path in sorted((ROOT / "benchmarks" / "results").glob("*.json")):
        document = json.loads(path.read_text())
        if document.get("suite") == suite:
            parts.append(f"From `benchmarks/results/{path.name}`. {_machines(document)}")
            parts += [summary.as_markdown(table) for table in summary.tables(document)]
            if summary.methods(document):
                parts.append("Methods behind kantor's runs: " + "; ".join(summary.methods(document)) + ".")
            lost = summary.lost(document)
            if lost:
                parts.append("A peer's verified answer came first in: " + "; ".join(lost) + ".")
    return "\n" + "\n\n".join(parts or ["No results are stored yet."]) + "\n\n"


def _machines(document: dict[str, Any]) -> str:
    triads: dict[str, list[float]] = {}  # of the sessions of one day, commit and machine
    for session in document["sessions"]:
        commit = session["commit"] or "unknown"
        name = f"{session['date'][:10]}, commit {commit}, {session['processor']}, {session['cores']} cores"
        triads.setdefault(name, []).append(session["bandwidth_gb_s"])
    words = [f"{name}, triad {_range(speeds)} GB/s" for name, speeds in triads.items()]
    versions = {run["package"]: run["version"] for run in document["runs"] if run.get("version")}
    listed = ", ".join(f"{name} {version}" for name, version in sorted(versions.items()) if name != "kantor")
    return "; ".join(words) + (f". Peers: {listed}." if listed else ".")


def _range(values: list[float]) -> str:
    low, high = f"{min(values):.1f}", f"{max(values):.1f}"
    return low if low == high else f"{low} to {high}"


if __name__ == "__main__":
    sys.exit(main("--check" in sys.argv[1:]))
