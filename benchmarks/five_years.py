"""What a plan of five years takes against one of one year: memory, and time for each iteration.

    python benchmarks/five_years.py --products 100000 --nonzeros 10000000

plans the same table for one year and for five, each in a process of its own, with labour limited in each year and an
emission budget over all of them; with ``--rates`` also with rates of change, which link the years, so that the table is
written out for each of them. Memory is the highest resident memory of planning and solving, with the economy itself,
above what Python and the modules take; time is process time of the solve, and for iterative methods of an iteration.
Without rates the years are eliminated together, in as many products with the table as one year takes.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))
from model_building import table

import kantor as kt
from kantor.planning import plan as _plan  # noqa: F401 - imported here, so that no import is measured

STATUS = Path("/proc/self/status")


def resident(key: str) -> float:
    """A line of the process's status, bytes: VmRSS now, VmHWM the highest since :func:`forget`."""
    line = next(line for line in STATUS.read_text().splitlines() if line.startswith(key))
    return 1024.0 * float(line.split()[1])


def forget() -> None:
    """Let the highest resident memory begin again."""
    Path("/proc/self/clear_refs").write_text("5")


def measure(products: int, nonzeros: int, years: int, rates: bool, seed: int) -> dict[str, Any]:
    """Plan, solve, and say what it took."""
    bare = resident("VmRSS")
    eco = table(products, nonzeros, seed)
    labour, carbon = (float(eco.use(eco.activity)[name]) for name in ("labour", "CO2"))
    horizon = None
    limits: dict[str, Any] = {"labour": labour, "CO2": carbon}
    if years > 1 or rates:
        horizon = kt.Horizon(years=years, first=2030, growth=0.01, rise=0.2 if rates else None)
        limits["CO2"] = kt.Limit(at_most=years * carbon, over="total")
    forget()
    began = time.process_time()
    plan = kt.Plan(eco, limits=limits, horizon=horizon)
    built = time.process_time()
    result = plan.solve(1e-6, time_limit_s=240)
    done = time.process_time()
    info = result.info
    rounds = max(info.iterations, 1)
    return {
        "years": years, "rates": rates, "status": result.status.value, "gap": result.gap, "objective": result.objective,
        "method": info.method, "memory_mb": (resident("VmHWM") - bare) / 1e6, "build_s": built - began,
        "solve_s": done - built, "iterations": rounds, "iteration_s": (done - built) / rounds,
    }  # fmt: skip


def main() -> None:
    """One year, five years, and five years with rates of change."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--products", type=int, default=100_000)
    parser.add_argument("--nonzeros", type=int, default=10_000_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--rates", action="store_true")
    parser.add_argument("--child", nargs=2, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.child:
        years, rates = int(asked.child[0]), asked.child[1] == "rates"
        print(json.dumps(measure(asked.products, asked.nonzeros, years, rates, asked.seed)))
        return
    first: dict[str, Any] = {}
    kinds = [("1", "free"), ("5", "free")] + ([("1", "rates"), ("5", "rates")] if asked.rates else [])
    for years, kind in kinds:
        command = [sys.executable, str(Path(__file__).resolve()), "--child", years, kind]
        command += ["--products", str(asked.products), "--nonzeros", str(asked.nonzeros), "--seed", str(asked.seed)]
        found = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        first = found if years == "1" else first
        found |= {"memory_times": found["memory_mb"] / first["memory_mb"],
                  "solve_times": found["solve_s"] / first["solve_s"],
                  "iteration_times": found["iteration_s"] / first["iteration_s"]}  # fmt: skip
        print("  ".join(f"{k} {v:.4g}" if isinstance(v, float) else f"{k} {v}" for k, v in found.items()), flush=True)


if __name__ == "__main__":
    main()
