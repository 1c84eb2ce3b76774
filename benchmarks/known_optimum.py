"""The table of the United States split into N products, where the optimum of the plan is that of its 411 sectors.

    python benchmarks/known_optimum.py 1000000 --years 1 5 --json out.json

One year: the largest scale of final demand with 102 % of the jobs and 95 % of the greenhouse gases; by lumpability the
optimum is 0.95. Several years share one stored technology: demand grows by 1 % a year, jobs are limited every year
(102 % of the first, growing by 2 %), greenhouse gases over the whole horizon (95 % of what the demands take). The
reference is the same program of the sectors, every year written out, solved by HiGHS.
"""

from __future__ import annotations

import argparse
import json
import resource
import time
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp

import kantor as kt
from kantor.bench.machine import describe
from kantor.data.generators import thin
from kantor.solvers.dispatch import solve_program
from kantor.solvers.horizon import HorizonProgram, solve_horizon

GROWTH, JOBS_GROWTH = 1.01, 1.02
COVER = 0.9


def main() -> None:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("products", type=int, nargs="+")
    parser.add_argument("--years", type=int, nargs="+", default=[1, 5])
    parser.add_argument("--tolerance", type=float, default=1e-6)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    sectors = kt.load_economy("us_useeio_2012_411", technology="domestic")
    machine, rows = describe(), list[dict[str, Any]]()
    for products in given.products:
        began = time.perf_counter()
        economy = kt.expand(sectors, products, seed=1, cover=COVER, kmax=1)
        made = time.perf_counter() - began
        for years in given.years:
            single = years == 1
            row = one_year(economy, given.tolerance) if single else several(sectors, economy, years, given.tolerance)
            row |= {"products": economy.n_goods, "nonzeros": int(economy.A.nnz), "years": years, "expand_s": made}
            row["peak_gb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
            rows.append(row)
            show(row)
    if given.json is not None:
        given.json.write_text(json.dumps({"machine": machine, "runs": rows}, indent=1) + "\n")


def show(row: dict[str, Any]) -> None:
    """One line."""
    print(
        f"{row['products']:,} products, {row['nonzeros']:,} nonzeros, {row['years']} years: "
        f"scale {row['objective']:.12g}, gap {row['gap']:.1e}, reference {row['reference']:.12g}; "
        f"expand {row['expand_s']:.2f} s, model {row['model_s']:.2f} s, solve {row['solve_s']:.2f} s, "
        f"peak {row['peak_gb']:.2f} GB; {row['why']}",
        flush=True,
    )


def one_year(economy: kt.Economy, tolerance: float) -> dict[str, Any]:
    """The plan of one year, from the labelled table to the labelled result."""
    began = time.perf_counter()
    plan = kt.Plan(economy, targets="total", limits={"jobs": "102%", "ghg": "95%"})
    modelled = time.perf_counter()
    result = plan.solve(tolerance=tolerance)
    finished = time.perf_counter()
    return {
        "objective": result.objective, "lower": result.lower_bound, "upper": result.upper_bound, "gap": result.gap,
        "certified": result.certified, "reference": 0.95, "model_s": modelled - began, "solve_s": finished - modelled,
        "why": result.info.why, "seconds": result.info.seconds,
    }  # fmt: skip


def several(sectors: kt.Economy, economy: kt.Economy, years: int, tolerance: float) -> dict[str, Any]:
    """The plan of several years, and that of the sectors by HiGHS."""
    began = time.perf_counter()
    program = horizon(economy, years)
    modelled = time.perf_counter()
    found = solve_horizon(program, tolerance)
    finished = time.perf_counter()
    coarse = horizon(thin(sectors, COVER), years).stacked().expanded()
    reference = solve_program(coarse, 1e-9, method="highs").objective
    return {
        "objective": found.objective, "lower": found.lower_bound, "upper": found.upper_bound, "gap": found.gap,
        "certified": found.certified, "reference": reference, "model_s": modelled - began,
        "solve_s": finished - modelled, "why": found.info.why, "seconds": found.info.seconds,
    }  # fmt: skip


def horizon(economy: kt.Economy, years: int) -> HorizonProgram:
    """Growing demand, jobs limited by the year, greenhouse gases over all years."""
    demand = economy.demand("total").to_numpy()
    base = kt.solve_leontief(economy.A, demand, tolerance=1e-13, error_bound=False).x
    jobs, gases = (economy.indicator(name).to_numpy() for name in ("jobs", "ghg"))
    growth = GROWTH ** np.arange(years)
    return HorizonProgram.build(
        "scale", sp.eye_array(economy.n_goods, format="csr"), economy.A, growth[:, None] * demand,
        yearly_use=jobs[None, :], yearly_upper=(1.02 * (jobs @ base) * JOBS_GROWTH ** np.arange(years))[:, None],
        horizon_use=gases[None, :], horizon_upper=[0.95 * (gases @ base) * growth.sum()],
    )  # fmt: skip


if __name__ == "__main__":
    main()
