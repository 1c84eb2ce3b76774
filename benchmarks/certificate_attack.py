"""The attack on the certificate at full length, and its result as a file.

    python benchmarks/certificate_attack.py 10000 --first 0 --json out.json

Random small plans of every structure against their optima in rational arithmetic (tests/attack_certificate.py): every
proved interval must hold the optimum. The file says what was attacked (seeds, counts by family, kind, method and
outcome), with which commit and versions, every violation, the bound nearest to an optimum (below zero it would be
wrong) and the widest interval that was certified at the tolerance 1e-6. It is written after every batch, so that what
an interrupted attack has done is not lost.
"""

from __future__ import annotations

import argparse
import importlib
import json
import sys
import time
import warnings
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import highspy

from kantor.bench.machine import describe

BATCH = 50


def batch(first: int, count: int) -> Any:
    """What the attacks of one batch found."""
    place = str(Path(__file__).resolve().parents[1] / "tests")
    if place not in sys.path:
        sys.path.insert(0, place)
    attack = importlib.import_module("attack_certificate")
    warnings.simplefilter("ignore")
    found = attack.run(first, count)
    return {"seen": dict(found.seen), "wrong": found.wrong, "nearest": found.nearest, "widest": found.widest}


def main() -> int:
    """Attack as the command line says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("count", type=int)
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    machine, began = describe(), time.perf_counter()
    machine["versions"]["highspy"] = highspy.Highs().version()
    seen: dict[str, int] = {}
    wrong: list[str] = []
    done, nearest, widest = 0, float("inf"), 0.0
    starts = range(given.first, given.first + given.count, BATCH)
    jobs = [(first, min(BATCH, given.first + given.count - first)) for first in starts]
    with get_context("spawn").Pool(given.jobs, maxtasksperchild=20) as pool:
        for (_, count), found in zip(jobs, pool.imap(_batch, jobs), strict=True):
            for what, times in found["seen"].items():
                seen[what] = seen.get(what, 0) + times
            wrong += found["wrong"]
            for line in found["wrong"]:
                print(line, flush=True)
            done, nearest, widest = done + count, min(nearest, found["nearest"]), max(widest, found["widest"])
            document = {
                "machine": machine, "plans": done, "first_seed": given.first, "last_seed": given.first + done - 1,
                "violations": wrong, "nearest_bound": nearest, "widest_certified": widest,
                "seconds": time.perf_counter() - began, "counts": dict(sorted(seen.items())),
            }  # fmt: skip
            if given.json is not None:
                given.json.write_text(json.dumps(document, indent=1) + "\n")
            print(f"{done} plans, {len(wrong)} violations, nearest bound {nearest:.1e}", flush=True)
    return 1 if wrong else 0


def _batch(job: tuple[int, int]) -> Any:
    return batch(*job)


if __name__ == "__main__":
    raise SystemExit(main())
