"""Leontief systems (I - A) x = d: kantor beside sparse and dense solvers. See docs/benchmarks.md.

python benchmarks/leontief.py [--quick | --full] [--peers]
"""

from __future__ import annotations

import sys
from functools import partial
from typing import Any

from harness import check_leontief, tables
from harness.files import Arrays
from harness.options import PRESETS, main
from harness.suite import Case, Forms, Solver

_DENSE = "holds n^2 numbers"
_FILL = "the factors fill up: some hundred times the entries of A at n = 10,000"


def _solver(name: str, call: str, package: str, largest: float = float("inf"), why: str = "", **options: Any) -> Solver:
    return Solver(name, call, package, "leontief", options, largest, why)


SOLVERS = [
    _solver("kantor", "kantor_solvers:leontief", "kantor"),
    _solver("kantor certified", "kantor_solvers:leontief", "kantor", certified=True),
    _solver("scipy bicgstab", "scipy_leontief:krylov", "scipy", method="bicgstab"),
    _solver("scipy gmres(20)", "scipy_leontief:krylov", "scipy", method="gmres"),
    _solver("scipy spsolve", "scipy_leontief:superlu", "scipy", 10_500, _FILL),
    _solver("numpy LU", "scipy_leontief:dense_lu", "numpy", 10_500, _DENSE),
    _solver("pyamg", "pyamg_leontief:solve", "pyamg", 100_500, "its hierarchy takes minutes"),
    _solver("pypardiso", "pardiso_leontief:solve", "pypardiso", 10_500, _FILL),
    _solver("petsc bcgs+ilu", "petsc_leontief:solve", "petsc4py", method="bcgs"),
    _solver("pymrio", "pymrio_leontief:solve", "pymrio", 10_500, _DENSE),
    _solver("cupy gmres(20)", "cupy_leontief:krylov", "cupy"),
    _solver("cupy spsolve", "cupy_leontief:direct", "cupy", 10_500, _FILL),
]


def cases(preset: str) -> list[Case]:
    """National, world and generated tables."""
    found = []
    sizes = {"quick": [4000], "default": [10_000, 100_000], "full": [10_000, 100_000, 1_000_000]}[preset]
    for n in sizes:
        found.append(Case(f"us-{n}", "United States in products", n, partial(tables.united_states, n)))
    demands = {"quick": (4000, 8), "default": (100_000, 64), "full": (100_000, 64)}[preset]
    name = f"us-{demands[0]}-demands-{demands[1]}"
    found.append(Case(name, "many demands", demands[0], partial(tables.united_states, *demands)))
    found.append(Case("wiod2013", "world tables", 1435, tables.wiod))
    found.append(Case("wiod2013-values", "world tables", 1435, partial(tables.wiod, values=True)))
    dense = {"quick": 1000, "default": 5000, "full": 10_000}[preset]
    found.append(Case(f"dense-{dense}", "world tables", dense, partial(tables.dense_regions, dense)))
    n = {"quick": 12_000, "default": 60_000, "full": 120_000}[preset]
    for family, build in tables.FAMILIES.items():
        for rho in (0.9,) if preset == "quick" else (0.5, 0.9, 0.95, 0.999):
            case = f"{family.replace(' ', '-')}-{n}-rho{rho:g}"
            found.append(Case(case, "generated", n, partial(build, n, rho)))
    return found


def judge(
    case: Case, forms: Forms, solver: Solver, outcome: dict[str, Any], answer: Arrays, tolerance: float
) -> dict[str, Any]:
    """Verified: the recomputed residual is within the tolerance, whatever the solver said of it.

    A certified answer must also have a bound that covers what is known exactly.
    """
    arrays = forms["leontief"]
    check = check_leontief.judge(arrays, answer)
    sound = check["finite"] and check.get("bound_holds", True)
    found: dict[str, Any] = {"check": check, "entries": int(arrays["A_data"].size)}
    # The recomputation itself rounds: at 1e-10 a residual of 1.0001e-10 is the same claim.
    found["verified"] = bool(sound and check["residual"] <= 1.001 * tolerance)
    found["verified_10x"] = bool(sound and check["residual"] <= 10.0 * tolerance)
    if outcome.get("products"):
        n = arrays["d"].shape[0]
        # A product of kantor is of all right-hand sides at once, one of a peer of a single one.
        width = arrays["d"].shape[1] if solver.own and arrays["d"].ndim == 2 else 1
        # y = A x + d: the entries once a product, three vectors a right-hand side.
        found["floor_bytes"] = outcome["products"] * (12.0 * arrays["A_data"].size + 28.0 * n * width)
    return found


if __name__ == "__main__":
    about = "Leontief systems: kantor beside SciPy, NumPy, PyAMG, PARDISO, PETSc, pymrio and CuPy."
    one = {preset: [1e-10] for preset in PRESETS}
    sys.exit(main("leontief", about, cases, SOLVERS, judge, one, {"quick": 10.0, "default": 60.0, "full": 600.0}))
