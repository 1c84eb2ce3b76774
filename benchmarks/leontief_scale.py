"""Leontief systems at scale: what the engine promises, measured in one go and stored with its machine.

    python benchmarks/leontief_scale.py [--stage million demands dense footprints largest] [-o FILE] [--products N]

million     the United States in 1,000,000 products: certified, beside SciPy's BiCGSTAB at the same tolerance, the sums
            of its sectors against the solution of the sectors; the same without an error bound, as SciPy has none;
            products against the triad bandwidth of the same process
demands     100,000 products: one demand and 64 at once, certified
dense       a world table of 10,000 sectors, half of its cells filled: certified, beside pymrio's dense inverse
footprints  WIOD 2011: all accounts of kantor.footprints beside those of pymrio
largest     10,000,000 products: generated, solved and certified, seconds an entry beside those of 1,000,000

Every run has a process of its own, so its peak memory is its own, and its answer is verified by a computation apart.
The file is rewritten after every stage; "met" says which of its aims a stage reached. Instances are kept in --cache.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from harness import check_leontief, tables
from harness.files import read_arrays, write_arrays, write_json
from harness.launch import Limits, launch
from harness.options import BENCHMARKS
from harness.store import bandwidth_gb_s

from kantor.bench.machine import describe
from kantor.errors import ProblemError

TOLERANCE = 1e-10
KANTOR = ("kantor_solvers:leontief", {"certified": True})
UNCERTIFIED = ("kantor_solvers:leontief", {"certified": False})
BICGSTAB = ("scipy_leontief:krylov", {"method": "bicgstab"})
PYMRIO = ("pymrio_leontief:solve", {})
LARGEST = 10_000_000
MOST_GB = 20.0

Row = dict[str, Any]


def main() -> int:
    """Run the stages that the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--stage", nargs="+", default=list(STAGES), choices=list(STAGES))
    parser.add_argument("--products", type=int, default=1_000_000, help="of the first stage")
    parser.add_argument("--largest", type=int, default=LARGEST, help="products of the last stage")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--cache", type=Path, default=BENCHMARKS.parent / "build" / "benchmarks")
    parser.add_argument("-o", "--output", type=Path, default=BENCHMARKS / "results" / "leontief-scale.json")
    parser.add_argument("--build", nargs=2, metavar=("CASE", "FILE"), help=argparse.SUPPRESS)
    parser.add_argument("--inner", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.build:
        return build(*given.build)
    if given.inner:
        print(json.dumps(INNER[given.inner](given)))
        return 0
    document: Row = {"machine": describe() | {"bandwidth_gb_s": bandwidth_gb_s()}, "stages": {}}
    for stage in given.stage:
        began = time.perf_counter()
        found = STAGES[stage](given)
        found["stage_s"] = time.perf_counter() - began
        document["stages"][stage] = found
        write_json(given.output, document)
        print(json.dumps({stage: found}, indent=1), flush=True)
    return 0


# ---- instances -------------------------------------------------------------------------------------------------------
def case(name: str) -> Callable[[], tables.Forms]:
    """The instance called "us-PRODUCTS-DEMANDS" or "dense-SECTORS"."""
    family, *numbers = name.split("-")
    if family == "dense":
        return partial(tables.dense_regions, int(numbers[0]))
    return partial(tables.united_states, int(numbers[0]), int(numbers[1]))


def build(name: str, path: str) -> int:
    """Make an instance, in this process alone; its time and memory go to standard output."""
    began = time.perf_counter()
    arrays = case(name)()["leontief"]
    seconds = time.perf_counter() - began
    write_arrays(Path(path), arrays)
    facts = {"generate_s": seconds, "entries": int(arrays["A_data"].size), "n": int(arrays["d"].shape[0])}
    print(json.dumps(facts | {"generate_peak_gb": peak_gb()}))
    return 0


def instance(given: argparse.Namespace, name: str) -> tuple[Path, Row]:
    """File and facts of an instance, made once."""
    path, told = given.cache / f"scale-{name}.npz", given.cache / f"scale-{name}.json"
    if not (path.exists() and told.exists()):
        given.cache.mkdir(parents=True, exist_ok=True)
        write_json(told, again(given, "--build", name, str(path)))
    return path, json.loads(told.read_text())


def again(given: argparse.Namespace, *words: str) -> Row:
    """What this script says in a process of its own."""
    command = [sys.executable, __file__, "--cache", str(given.cache), "--products", str(given.products), *words]
    ran = subprocess.run(command, capture_output=True, text=True, cwd=BENCHMARKS)
    if ran.returncode:
        raise ProblemError(f"{' '.join(words)}: exit {ran.returncode}: {ran.stderr[-500:]}")
    found: Row = json.loads(ran.stdout.splitlines()[-1])
    return found


def peak_gb() -> float:
    """The largest resident size of this process."""
    from harness.child import peak_mb

    return peak_mb() / 1000.0


# ---- runs ------------------------------------------------------------------------------------------------------------
def solve(given: argparse.Namespace, path: Path, solver: tuple[str, dict[str, Any]], limit_s: float = 900.0) -> Row:
    """One solver on one instance in its own process, its answer verified here."""
    limits = Limits(limit_s, repeats=given.repeats, budget_s=60.0, memory_mb=1000.0 * MOST_GB, threads=cores())
    outcome, answer = launch(sys.executable, *solver, path, TOLERANCE, limits)
    times = outcome.get("seconds", [])
    counted = times[1:] or times  # the first repetition warms up
    row: Row = {"seconds": statistics.median(counted) if counted else None, "all_seconds": times}
    row |= {key: outcome.get(key) for key in ("status", "said", "version", "products", "iterations", "cpu_s")}
    row["peak_gb"] = outcome.get("peak_mb", 0.0) / 1000.0
    if answer is not None:
        check = check_leontief.judge(read_arrays(path), answer)
        row |= check
        row["verified"] = bool(check["finite"] and check["residual"] <= 1.001 * TOLERANCE)
    return row


def cores() -> int:
    """Processors of this machine, as described."""
    return int(describe()["cores"])


def ratio(above: Row, below: Row, key: str = "seconds") -> float:
    """How many times as much; NaN if a run has no verified answer."""
    if not (above.get("verified") and below.get("verified")):
        return float("nan")
    return float(above[key]) / float(below[key])


def million(given: argparse.Namespace) -> Row:
    """kantor and SciPy in turn, and the bandwidth of products."""
    path, facts = instance(given, f"us-{given.products}-1")
    ours, theirs = solve(given, path, KANTOR), solve(given, path, BICGSTAB)
    alike = solve(given, path, UNCERTIFIED)
    row = facts | {"kantor": ours, "kantor_without_bound": alike, "scipy": theirs}
    row |= {"times_faster": ratio(theirs, ours), "times_faster_without_bound": ratio(theirs, alike)}
    row |= again(given, "--inner", "bandwidth")
    row["met"] = {
        "3 times as fast": row["times_faster"] >= 3.0,
        "sums of sectors to 1e-9": ours.get("aggregate_error", 1.0) <= 1e-9,
        "70 % of the triad": row["of_triad"] >= 0.7,
    }
    return row


def demands(given: argparse.Namespace) -> Row:
    """One demand and 64, both certified."""
    (one_path, facts), (many_path, _) = instance(given, "us-100000-1"), instance(given, "us-100000-64")
    one, many = solve(given, one_path, KANTOR), solve(given, many_path, KANTOR)
    row = facts | {"one": one, "many": many, "times_one": ratio(many, one)}
    row["met"] = {"64 demands cost at most 16": row["times_one"] <= 16.0}
    return row


def dense(given: argparse.Namespace) -> Row:
    """kantor beside pymrio's inverse."""
    path, facts = instance(given, "dense-10000")
    ours, theirs = solve(given, path, KANTOR), solve(given, path, PYMRIO)
    row = facts | {"kantor": ours, "pymrio": theirs, "times_faster": ratio(theirs, ours)}
    row["memory"] = ratio(ours, theirs, "peak_gb")
    row["met"] = {"20 times as fast": row["times_faster"] >= 20.0, "a third of the memory": row["memory"] <= 1.0 / 3.0}
    return row


def footprints(given: argparse.Namespace) -> Row:
    """All accounts of the world table, in a process of their own."""
    row = again(given, "--inner", "footprints")
    row["met"] = {"under a second": row["kantor_s"] < 1.0, "identical to 1e-8": row["largest_difference"] <= 1e-8}
    return row


def largest(given: argparse.Namespace) -> Row:
    """Time an entry at ten million products beside that of a million; both runs of this stage."""
    path, facts = instance(given, f"us-{given.largest}-1")
    small_path, small_facts = instance(given, f"us-{given.products}-1")
    small, large = solve(given, small_path, KANTOR), solve(given, path, KANTOR, 3600.0)
    row = facts | {"kantor": large, "kantor_small": small}
    row["times_an_entry"] = ratio(large, small) * small_facts["entries"] / facts["entries"]
    row["met"] = {
        "200 M entries": facts["entries"] >= 200_000_000,
        "within 20 GB": max(facts["generate_peak_gb"], large["peak_gb"]) <= MOST_GB,
        "certified": bool(large.get("verified") and large.get("bound_holds")),
        "time an entry 1.5": row["times_an_entry"] <= 1.5,
    }
    return row


# ---- what needs a process of its own ---------------------------------------------------------------------------------
def bandwidth(given: argparse.Namespace) -> Row:
    """Bytes a second that a product moves at least, beside a triad, in turn."""
    import numpy as np
    from harness.files import get_matrix

    from kantor.backends import get_backend

    A = get_matrix(read_arrays(instance(given, f"us-{given.products}-1")[0]), "A")
    backend = get_backend("auto")
    op = backend.prepare(A, transpose=False)
    x, out = backend.from_host(np.ones(A.shape[1])), backend.zeros(A.shape[0])
    backend.matvec(op, x, out)
    seconds, rates = [], []
    for _ in range(7):
        rates.append(bandwidth_gb_s())
        began = time.perf_counter()
        backend.matvec(op, x, out)
        backend.synchronise()
        seconds.append(time.perf_counter() - began)
    gigabytes = (12.0 * A.nnz + 8.0 * A.shape[1] + 16.0 * A.shape[0]) / 1e9
    shares = [gigabytes / (s * rate) for s, rate in zip(seconds, rates, strict=True)]
    return {
        "product_s": min(seconds), "product_gb": gigabytes, "triad_gb_s": max(rates),
        "of_triad": gigabytes / (min(seconds) * max(rates)), "of_triad_median": statistics.median(shares),
    }  # fmt: skip


def accounts(given: argparse.Namespace) -> Row:
    """Seconds of kantor's accounts and pymrio's, and the largest difference relative to the largest number."""
    import numpy as np
    import pandas as pd
    import pymrio

    import kantor as kt
    from kantor.analysis.footprints import footprints as kantor_footprints

    eco = kt.load_economy("wiod2013", year=2011)
    names = ("D_cba", "D_pba", "D_imp", "D_exp", "M")
    times, busy = [], []
    for _ in range(given.repeats):
        began, cpu = time.perf_counter(), time.process_time()
        feet = kantor_footprints(eco)
        ours = {name: getattr(feet, name).to_numpy() for name in names}
        times.append(time.perf_counter() - began)
        busy.append(time.process_time() - cpu)
    A = pd.DataFrame(eco.A.toarray(), eco.products, eco.products)
    Y = eco.final_demand.T.groupby(level=0, sort=False).sum().T
    S = pd.DataFrame(feet.S.to_numpy(), feet.S.index, eco.products)
    began = time.perf_counter()
    L = pymrio.calc_L(A)
    theirs = dict(zip(names, pymrio.calc_accounts(S, L, Y), strict=False))
    theirs["M"] = pymrio.calc_M(S, L)
    seconds = time.perf_counter() - began
    gaps = {
        name: float(np.max(np.abs(ours[name] - theirs[name].to_numpy()).max(axis=1) / np.abs(theirs[name]).max(axis=1)))
        for name in names
    }
    return {
        "kantor_s": min(times), "kantor_all_s": times, "kantor_cpu_s": min(busy), "pymrio_s": seconds,
        "differences": gaps, "largest_difference": max(gaps.values()), "peak_gb": peak_gb(),
    }  # fmt: skip


STAGES: dict[str, Callable[[argparse.Namespace], Row]] = {
    "million": million,
    "demands": demands,
    "dense": dense,
    "footprints": footprints,
    "largest": largest,
}
INNER = {"bandwidth": bandwidth, "footprints": accounts}

if __name__ == "__main__":
    sys.exit(main())
