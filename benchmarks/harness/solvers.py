"""The linear programming solvers of the suites ``lp`` and ``planning``."""

from __future__ import annotations

from .suite import Solver

_SLOW = "does not finish at this size within any limit of this suite"

KANTOR_LP = Solver("kantor", "kantor_solvers:lp", "kantor", "lp")
# "auto" hands small programmes to HiGHS' simplex method; only this one compares like with like among first-order codes.
KANTOR_PDHG = Solver("kantor pdhg", "kantor_solvers:lp", "kantor", "lp", {"method": "pdhg"})
KANTOR_PLAN = Solver("kantor plan", "kantor_solvers:plan", "kantor", "plan")

PDLP = Solver("ortools pdlp", "ortools_lp:pdlp", "ortools", "lp")
PDLP_PRESOLVE = Solver("ortools pdlp presolve", "ortools_lp:pdlp", "ortools", "lp", {"presolve": True}, quick=False)
PDLP_POLISHING = Solver("ortools pdlp polish", "ortools_lp:pdlp", "ortools", "lp", {"polishing": True}, quick=False)
GLOP = Solver("ortools glop", "ortools_lp:glop", "ortools", "lp", {}, 250_000, _SLOW)

SIMPLEX = Solver("highs simplex", "highs:solve", "highspy", "lp", {"solver": "simplex"}, 250_000, _SLOW)
IPM = Solver("highs ipm", "highs:solve", "highspy", "lp", {"solver": "ipm"}, 250_000, _SLOW)
IPM_CROSSOVER = Solver(
    "highs ipm crossover", "highs:solve", "highspy", "lp", {"solver": "ipm", "crossover": True}, 250_000, _SLOW, False
)
HIGHS_PDLP = Solver("highs pdlp", "highs:solve", "highspy", "lp", {"solver": "pdlp"})
HIPDLP = Solver("highs hipdlp", "highs:solve", "highspy", "lp", {"solver": "hipdlp"})

SCS = Solver("scs", "scs_lp:solve", "scs", "lp", {}, 250_000, _SLOW)
CLARABEL = Solver("clarabel", "clarabel_lp:solve", "clarabel", "lp", {}, 250_000, _SLOW)
MPAX = Solver("mpax", "mpax_lp:solve", "mpax", "lp", quick=False)

PEERS = [
    PDLP, PDLP_PRESOLVE, PDLP_POLISHING, GLOP, SIMPLEX, IPM, IPM_CROSSOVER, HIGHS_PDLP, HIPDLP, SCS, CLARABEL, MPAX,
]  # fmt: skip
