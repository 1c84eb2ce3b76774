"""Counts, shifted geometric means and tables of a results file, for the terminal and for docs/benchmarks.md."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable
from typing import Any

Runs = list[dict[str, Any]]
Table = tuple[str, list[str], list[list[str]]]

SHIFT_S = 10.0
MANY = 12  # a family of more cases is summed up, one line a solver; a smaller one is shown case by case


def sgm(seconds: Iterable[float], shift: float = SHIFT_S) -> float:
    """exp(mean ln(t + shift)) - shift, the shifted geometric mean.

    >>> round(sgm([0.0, 30.0]), 9)
    10.0
    """
    logs = [math.log(t + shift) for t in seconds]
    return math.exp(sum(logs) / len(logs)) - shift


def tables(document: dict[str, Any]) -> list[Table]:
    """One table for each family and tolerance of a results file."""
    runs: Runs = document["runs"]
    found = []
    for family, tolerance in sorted({(run["family"], run["tolerance"]) for run in runs}, key=_order(runs)):
        chosen = [run for run in runs if run["family"] == family and run["tolerance"] == tolerance]
        limit = max(run["limit_s"] for run in chosen)
        title = f"{family}, tolerance {tolerance:g}, limit {limit:g} s"
        many = len({run["case"] for run in chosen}) > MANY
        found.append(_summed(title, chosen) if many else _each(title, chosen))
        bandwidth = [session["bandwidth_gb_s"] for session in document["sessions"]]
        products = [run for run in chosen if run.get("floor_bytes") and run["verified"]]
        if products:
            found.append(_floors(f"{family}, products", products, bandwidth))
    return found


def _floors(title: str, runs: Runs, bandwidth: list[float]) -> Table:
    """Of the solvers that count products: the share of the time that moving their bytes once takes at triad speed."""
    lines = []
    for run in runs:
        floor = run["floor_bytes"] / (1e9 * bandwidth[run["session"]])
        check = run["check"]
        lines.append([
            run["case"], run["solver"], str(run["products"]), f"{100.0 * floor / run['median_s']:.0f} %",
            f"{check['residual']:.1e}", f"{check['error_at_most']:.1e}", f"{run['peak_mb']:.0f}",
        ])  # fmt: skip
    return title, ["case", "solver", "products", "byte floor", "residual", "error at most", "peak MB"], lines


def _order(runs: Runs) -> Any:
    families = list(dict.fromkeys(run["family"] for run in runs))
    return lambda key: (families.index(key[0]), -key[1])


def _solvers(runs: Runs) -> list[str]:
    names = list(dict.fromkeys(run["solver"] for run in runs))
    return sorted(names, key=lambda name: (not name.startswith("kantor"), names.index(name)))


def _summed(title: str, runs: Runs) -> Table:
    """One line a solver: counts, SGM10 with the limit for what is not verified, median iterations, memory."""
    header = [
        "solver",
        "claimed",
        "verified",
        "within 10x",
        "false",
        "SGM10 s",
        "SGM10 s at 10x",
        "iterations",
        "largest MB",
    ]
    lines = []
    for solver in _solvers(runs):
        own = [run for run in runs if run["solver"] == solver]
        lines.append([
            solver,
            f"{sum(_claims(run) for run in own)} of {len(own)}",
            str(sum(run["verified"] for run in own)),
            str(sum(run.get("verified_10x", False) for run in own)),
            str(sum(is_false(run) for run in own)),
            f"{sgm(_time(run, 'verified') for run in own):.3g}",
            f"{sgm(_time(run, 'verified_10x') for run in own):.3g}",
            _median([run["iterations"] for run in own if run["verified"] and run.get("iterations")]),
            f"{max((run.get('peak_mb') or 0.0) for run in own):.0f}",
        ])  # fmt: skip
    return title, header, lines


def _median(numbers: list[int]) -> str:
    return f"{statistics.median(numbers):.0f}" if numbers else ""


def _claims(run: dict[str, Any]) -> bool:
    return run["status"] in ("optimal", "infeasible", "unbounded")


def is_false(run: dict[str, Any]) -> bool:
    """A claim that is wrong: the other kind of answer, or a point outside ten times the tolerance."""
    return _claims(run) and not run.get("verified_10x", False)


def _time(run: dict[str, Any], verdict: str) -> float:
    if run.get(verdict) and run.get("median_s") is not None:
        return min(float(run["median_s"]), float(run["limit_s"]))
    return float(run["limit_s"])


def _each(title: str, runs: Runs) -> Table:
    """One line a case, one column a solver: seconds if verified, else what happened instead."""
    solvers = _solvers(runs)
    by = {(run["case"], run["solver"]): run for run in runs}
    lines = []
    for case in dict.fromkeys(run["case"] for run in runs):
        lines.append([case, *(_cell(by.get((case, solver))) for solver in solvers)])
    return title, ["case", *solvers], lines


def _cell(run: dict[str, Any] | None) -> str:
    if run is None:
        return ""
    seconds = "" if run.get("median_s") is None else f"{run['median_s']:.3g}"
    if run["verified"]:
        return seconds
    if run.get("verified_10x"):
        return f"{seconds} (10x)"
    if is_false(run):
        return f"{seconds} FALSE"
    return {"not run": "-", "limit": "limit"}.get(run["status"], run["status"])


def methods(document: dict[str, Any]) -> list[str]:
    """What kantor's own choice fell on, by solver: "kantor: highs 8, pdhg 2". HiGHS' simplex is a peer's work."""
    chosen: dict[str, dict[str, int]] = {}
    for run in document["runs"]:
        if run["package"] == "kantor" and run.get("method"):
            counts = chosen.setdefault(run["solver"], {})
            counts[run["method"]] = counts.get(run["method"], 0) + 1
    return [f"{name}: " + ", ".join(f"{m} {k}" for m, k in sorted(counts.items())) for name, counts in chosen.items()]


def lost(document: dict[str, Any]) -> list[str]:
    """Every case where a peer's verified answer came sooner than the best verified one of kantor."""
    runs: Runs = document["runs"]
    words = []
    for case, tolerance in dict.fromkeys((run["case"], run["tolerance"]) for run in runs):
        here = [run for run in runs if run["case"] == case and run["tolerance"] == tolerance and run["verified"]]
        own = [run for run in here if run["package"] == "kantor"]
        peers = [run for run in here if run["package"] != "kantor"]
        if not peers:
            continue
        best = min(peers, key=lambda run: run["median_s"])
        mine = min((run["median_s"] for run in own), default=math.inf)
        if best["median_s"] < mine:
            said = f"{mine:.3g} s" if math.isfinite(mine) else "no verified answer"
            words.append(f"{case} at {tolerance:g}: {best['solver']} {best['median_s']:.3g} s, kantor {said}")
    return words


def as_text(table: Table) -> str:
    """A table for the terminal."""
    title, header, lines = table
    widths = [max(len(row[k]) for row in [header, *lines]) for k in range(len(header))]
    rows = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
            for row in [header, *lines]]  # fmt: skip
    return "\n".join([title, *rows])


def as_markdown(table: Table) -> str:
    """A table for the documentation."""
    title, header, lines = table
    rows = [header, ["---"] * len(header), *lines]
    return "\n".join([f"**{title}**", "", *("| " + " | ".join(row) + " |" for row in rows)])
