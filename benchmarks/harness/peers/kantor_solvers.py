"""kantor itself, through the same door as its peers: linear programmes, Leontief systems, plans."""

from __future__ import annotations

from typing import Any

import numpy as np

import kantor
from kantor.solvers.dispatch import solve_program
from kantor.solvers.leontief import solve_leontief
from kantor.solvers.lp import solve_lp
from kantor.solvers.problem import LinearProgram
from kantor.solvers.program import PlanningProgram
from kantor.solvers.solution import Status

from ..clock import RunClock
from ..files import get_matrix
from . import Answer, Request

VERSION = kantor.__version__
_STATUS = {
    Status.OPTIMAL: "optimal", Status.PRIMAL_INFEASIBLE: "infeasible", Status.DUAL_INFEASIBLE: "unbounded",
    Status.NUMERICAL_ERROR: "unknown",
}  # fmt: skip


def lp(arrays: dict[str, Any], request: Request, clock: RunClock) -> Answer:
    """``options``: keyword arguments of solve_lp, such as ``method`` and ``backend``."""
    with clock.phase("model"):
        program = linear_program(arrays)
    with clock.phase("solve"):
        found = solve_lp(program, request.tolerance, time_limit_s=request.limit_s, **request.options)
    info = found.info
    facts = {
        "iterations": info.iterations, "products": info.products, "method": info.method, "backend": info.backend,
        "why": info.why,
    }  # fmt: skip
    return Answer(_STATUS.get(found.status, "limit"), found.status.value, {"x": found.x, "y": found.y}, facts)


def linear_program(arrays: dict[str, Any]) -> LinearProgram:
    """The programme of an instance."""
    return LinearProgram(
        arrays["c"], get_matrix(arrays, "K"), arrays["row_lower"], arrays["row_upper"], arrays["lower"],
        arrays["upper"], offset=float(arrays.get("offset", 0.0)),
    )  # fmt: skip


def leontief(arrays: dict[str, Any], request: Request, clock: RunClock) -> Answer:
    """``options["certified"]``: with the proved bound on every component, stored as error_bound."""
    certified = bool(request.options.get("certified"))
    with clock.phase("solve"):
        found = solve_leontief(
            get_matrix(arrays, "A"), arrays["d"], tolerance=request.tolerance, error_bound=certified,
            transpose=bool(arrays["transpose"]),
        )  # fmt: skip
    vectors = {"x": np.asarray(found.x)} | ({"error_bound": np.asarray(found.error_bound)} if certified else {})
    facts = {"iterations": found.iterations, "products": found.info.products, "method": found.info.method}
    return Answer(_STATUS.get(found.status, "limit"), found.status.value, vectors, facts)


def plan(arrays: dict[str, Any], request: Request, clock: RunClock) -> Answer:
    """The planning engine on a PlanningProgram; ``options``: keyword arguments of solve_program."""
    with clock.phase("model"):
        program = planning_program(arrays)
    with clock.phase("solve"):
        found = solve_program(program, request.tolerance, time_limit_s=request.limit_s, **request.options)
    info = found.info
    facts = {
        "iterations": info.iterations, "products": info.products, "method": info.method, "backend": info.backend,
        "why": info.why, "certified": found.certified, "objective": found.objective, "gap": found.gap,
        "lower_bound": found.lower_bound, "upper_bound": found.upper_bound,
    }  # fmt: skip
    names = ("activity", "prices", "rents", "floor_rents", "capacity_rents")
    vectors = {name: np.asarray(getattr(found, name)) for name in names} | {"scale": np.array(found.scale)}
    return Answer(_STATUS.get(found.status, "limit"), found.status.value, vectors, facts)


def planning_program(arrays: dict[str, Any]) -> PlanningProgram:
    """The plan of an instance."""
    return PlanningProgram.build(
        str(arrays["kind"]),  # type: ignore[arg-type]
        get_matrix(arrays, "output"),
        get_matrix(arrays, "input"),
        arrays["targets"],
        resource_use=get_matrix(arrays, "resource_use"),
        resource_upper=arrays["resource_upper"],
        resource_lower=arrays["resource_lower"],
        capacity=arrays["capacity"],
        cost=arrays["cost"],
    )
