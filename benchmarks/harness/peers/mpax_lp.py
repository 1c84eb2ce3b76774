"""MPAX (r2HPDHG in JAX, 64 bit): compiled ahead of time, so that compilation is told apart. It has no time limit."""

from __future__ import annotations

from importlib import metadata
from typing import Any

import jax
import numpy as np

jax.config.update("jax_enable_x64", True)

import jax.numpy as jnp  # noqa: E402 - after the switch to 64 bit
from jax.experimental import sparse  # noqa: E402
from mpax import create_lp, r2HPDHG  # noqa: E402
from mpax.utils import TerminationStatus  # noqa: E402

from ..clock import RunClock  # noqa: E402
from . import Answer, Request  # noqa: E402
from .linear import Rows  # noqa: E402

VERSION = f"{metadata.version('mpax')} (jax {jax.__version__}, {jax.devices()[0].platform})"
_STATUS = {"OPTIMAL": "optimal", "PRIMAL_INFEASIBLE": "infeasible", "DUAL_INFEASIBLE": "unbounded"}
_compiled: dict[str, Any] = {}


def solve(arrays: dict[str, Any], request: Request, clock: RunClock) -> Answer:
    """Termination in 2-norms, absolute plus relative, as docs/notation.md has it."""
    with clock.phase("model"):
        rows = Rows(arrays)
        program = create_lp(
            arrays["c"], sparse.BCSR.from_scipy_sparse(rows.A), rows.b, sparse.BCSR.from_scipy_sparse(rows.G),
            rows.h, jnp.asarray(arrays["lower"]), jnp.asarray(arrays["upper"]),
        )  # fmt: skip
    if "solve" not in _compiled:
        with clock.phase("compile", apart=True):
            solver = r2HPDHG(optimality_norm=2, eps_abs=request.tolerance, eps_rel=request.tolerance)
            _compiled["solve"] = jax.jit(solver.optimize).lower(program).compile()
    with clock.phase("solve"):
        result = _compiled["solve"](program)
        x, y = np.array(result.primal_solution), np.array(result.dual_solution)
    said = TerminationStatus(int(result.termination_status)).name
    claim = _STATUS.get(said, "unknown")
    vectors = {"x": x, "y": rows.duals(y[: rows.b.size], y[rows.b.size :])}
    return Answer(claim, said, vectors, {"iterations": int(result.iteration_count)})
