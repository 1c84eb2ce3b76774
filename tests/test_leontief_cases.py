"""solve_leontief and values: published cases; values of several factors at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp

from kantor.backends import Backend
from kantor.solvers.leontief import solve_leontief, values
from leontief_tables import synthetic

METHODS = ["bicgstab", "anderson", "neumann"]
Case = Callable[[str], dict[str, Any]]


def near(got: Any, expected: Any, tolerance: dict[str, Any]) -> None:
    limits = tolerance["default"]
    np.testing.assert_allclose(np.asarray(got), np.asarray(expected), rtol=limits["rtol"], atol=limits["atol"])


def test_wheat_and_cloth(case: Case, backend: Backend) -> None:
    data = case("leontief_wheat_cloth")
    A, labour = np.array(data["inputs"]["A"]), np.array(data["inputs"]["labour"])
    solution = solve_leontief(A, np.array(data["inputs"]["final_demand"]["base"], float), backend=backend)
    near(solution.x, data["expected"]["gross_output"]["base"], data["tolerance"])
    near(values(A, labour, backend=backend), data["expected"]["labour_values"], data["tolerance"])
    near(labour @ solution.x, data["expected"]["total_labour"]["base"], data["tolerance"])
    inverse = solve_leontief(A, np.eye(2), backend=backend)
    near(inverse.x, data["expected"]["leontief_inverse"], data["tolerance"])


def test_miller_blair(case: Case, backend: Backend) -> None:
    data = case("leontief_miller_blair")
    A = np.array(data["inputs"]["flows"], float) / np.array(data["inputs"]["output"], float)
    for scenario, demand in data["inputs"]["final_demand"].items():
        solution = solve_leontief(A, np.array(demand, float), backend=backend)
        near(solution.x, data["expected"]["gross_output"][scenario], data["tolerance"])
    near(solve_leontief(A, np.eye(2), backend=backend).x, data["expected"]["leontief_inverse"], data["tolerance"])


def test_eu_2006(case: Case, backend: Backend) -> None:
    data = case("leontief_eu_2006")
    inputs, expected = data["inputs"], data["expected"]
    goods = pd.Index(inputs["goods"])
    A = pd.DataFrame(inputs["A"], index=goods, columns=goods)
    demand = pd.DataFrame(inputs["final_demand"], index=goods, dtype=float)
    labour = pd.Series(inputs["labour"], index=goods, dtype=float)
    solution = solve_leontief(A, demand, backend=backend)
    for scenario in demand:
        near(solution.x[scenario], expected["gross_output"][scenario], data["tolerance"])
        near(labour @ solution.x[scenario], expected["total_labour"][scenario], data["tolerance"])
        near(values(A, labour, backend=backend) @ demand[scenario], labour @ solution.x[scenario], data["tolerance"])


def test_labour_values_eu_2006(case: Case, backend: Backend) -> None:
    data = case("labour_values_eu_2006")
    flows, output = np.array(data["inputs"]["flows"], float), np.array(data["inputs"]["output"], float)
    labour = np.array(data["inputs"]["labour"], float)
    v = values(flows / output, labour / output, backend=backend)
    near(v, data["expected"]["labour_values"], data["tolerance"])
    net = output - flows.sum(axis=1)
    near(net, data["expected"]["net_output"], data["tolerance"])
    near(v @ net, labour.sum(), data["tolerance"])


def test_values_of_one_factor_several_and_indicators(labelled: tuple[pd.DataFrame, pd.Series]) -> None:
    A, _ = labelled
    inverse = np.linalg.inv(np.eye(3) - A.to_numpy())
    labour, energy = np.array([1.0, 2.0, 0.5]), np.array([0.0, 5.0, 1.0])
    np.testing.assert_allclose(values(A.to_numpy(), labour), labour @ inverse, rtol=1e-12)
    both = np.stack([labour, energy], axis=1)
    np.testing.assert_allclose(values(A.to_numpy(), both), (both.T @ inverse).T, rtol=1e-12)
    indicators = pd.DataFrame([labour, energy], index=["labour", "energy"], columns=A.index)
    found = values(A, indicators[["coal", "iron", "corn"]])
    assert list(found.index) == ["labour", "energy"]
    assert list(found.columns) == list(A.index)
    np.testing.assert_allclose(found, indicators @ inverse, rtol=1e-12)
    series = values(A, pd.Series(labour, index=A.index, name="labour"))
    assert series.name == "labour"
    np.testing.assert_allclose(series, labour @ inverse, rtol=1e-12)


def test_value_added_makes_every_value_one() -> None:
    """l = 1 - column sums of A: what is not bought is added, so each unit of value embodies one."""
    A, _ = synthetic(2000, 0.6, 10)
    A = sp.csr_array(A @ sp.diags_array(0.9 / np.maximum(1.0, A.sum(axis=0))))
    np.testing.assert_allclose(values(A, 1.0 - A.sum(axis=0), tolerance=1e-12), np.ones(2000), rtol=1e-9)
