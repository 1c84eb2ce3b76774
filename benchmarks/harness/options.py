"""The command line that the suites share."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

from kantor.errors import KantorError, ProblemError

from . import summary
from .launch import Limits, interpreters
from .store import Results
from .suite import Case, Judge, Solver, Suite

BENCHMARKS = Path(__file__).resolve().parents[1]
PRESETS = ("quick", "default", "full")


def parser(name: str, about: str) -> argparse.ArgumentParser:
    """Options of every suite."""
    p = argparse.ArgumentParser(prog=f"benchmarks/{name}.py", description=about)
    size = p.add_mutually_exclusive_group()
    size.add_argument("--quick", dest="preset", action="store_const", const="quick", help="about a minute")
    size.add_argument("--full", dest="preset", action="store_const", const="full", help="hours")
    p.add_argument("--peers", action="store_true", help="run the other packages as well, each in its own process")
    p.add_argument("--python", action="append", default=[], metavar="[PACKAGE=]PATH",
                   help="interpreter of the peers or of one; default $KANTOR_PEERS_PYTHON, else this one")  # fmt: skip
    p.add_argument("--family", action="append", metavar="NAME", help="only these families of cases")
    p.add_argument("--case", action="append", metavar="NAME", help="only these cases")
    p.add_argument("--solver", action="append", metavar="NAME", help="only these solvers")
    p.add_argument("--again", action="append", default=[], metavar="SOLVER", help="forget its runs and make them again")
    p.add_argument("--tolerance", action="append", type=float, help="only these tolerances")
    p.add_argument("--limit", type=float, help="seconds for each run")
    p.add_argument("--repeats", type=int, help="repetitions of a run, as long as they take five seconds together")
    p.add_argument("--memory-mb", type=float, default=_memory_mb(), help="a run that holds more is killed")
    p.add_argument("--cache", type=Path, default=BENCHMARKS.parent / "build" / "benchmarks",
                   help="where built instances are kept; delete it when a generator has changed")  # fmt: skip
    p.add_argument("-o", "--output", type=Path, help="results file; runs that it holds are not made again")
    p.add_argument("--list", action="store_true", help="list families, cases and solvers, and stop")
    p.add_argument("--json", action="store_true", help="print the results document on standard output")
    p.set_defaults(preset="default")
    return p


def _memory_mb() -> float:
    """Three quarters of the machine's memory."""
    try:
        return 0.75e-6 * os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError):
        return 12_000.0


def main(
    name: str,
    about: str,
    cases: Callable[[str], list[Case]],
    solvers: list[Solver],
    judge: Judge,
    tolerances: dict[str, list[float]],
    limits: dict[str, float],
) -> int:
    """Run a suite from the command line: ``cases(preset)``; tolerances and limits in seconds by preset."""
    given = parser(name, about).parse_args()
    try:
        chosen = _cases(given, cases(given.preset))
        methods = _solvers(given, solvers)
        if given.list:
            print("\n".join(f"{case.family}: {case.name}" for case in chosen))
            print("solvers: " + ", ".join(solver.name for solver in methods))
            return 0
        output = given.output or BENCHMARKS / "results" / f"{name}-{given.preset}.json"
        results = Results(output, name)
        results.drop(given.again)
        suite = Suite(
            name, chosen, methods, given.tolerance or tolerances[given.preset], _limits(given, limits), judge,
            interpreters(given.python), given.cache,
        )  # fmt: skip
        suite.run(results, lambda words: print(words, file=sys.stderr, flush=True))
    except KantorError as error:
        print(f"{name}: {error}", file=sys.stderr)
        return 2
    document = results.document()
    if given.json:
        print(json.dumps(document))
    else:
        print("\n\n".join(summary.as_text(table) for table in summary.tables(document)))
        print("\n".join(["", "methods that solved:", *summary.methods(document)]))
        print("\n".join(["", "peers that were faster:", *(summary.lost(document) or ["none"])]))
    return 0


def _limits(given: argparse.Namespace, limits: dict[str, float]) -> Limits:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    repeats = given.repeats or {"quick": 3, "default": 3, "full": 5}[given.preset]
    seconds = given.limit or limits[given.preset]
    return Limits(seconds, repeats=repeats, memory_mb=given.memory_mb, threads=cores)


def _cases(given: argparse.Namespace, cases: list[Case]) -> list[Case]:
    for option, known in (("family", {c.family for c in cases}), ("case", {c.name for c in cases})):
        wrong = [word for word in getattr(given, option) or [] if word not in known]
        if wrong:
            raise ProblemError(f"--{option}: {wrong[0]!r} is none of {', '.join(sorted(known))}")
    return [
        case
        for case in cases
        if (not given.family or case.family in given.family) and (not given.case or case.name in given.case)
    ]


def _solvers(given: argparse.Namespace, solvers: list[Solver]) -> list[Solver]:
    names = [solver.name for solver in solvers]
    wrong = [word for word in [*(given.solver or []), *given.again] if word not in names]
    if wrong:
        raise ProblemError(f"--solver: {wrong[0]!r} is none of {', '.join(names)}")
    if given.solver:
        return [solver for solver in solvers if solver.name in given.solver]
    quick = given.preset == "quick"
    return [solver for solver in solvers if solver.own or (given.peers and (solver.quick or not quick))]
