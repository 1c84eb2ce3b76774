"""The interior point method: the same certified answers as the first-order method, and what it is not for."""

from __future__ import annotations

import os
import signal
import time

import numpy as np
import pandas as pd
import pytest

import kantor as kt
from kantor.errors import OptionError
from kantor.solvers import interior
from kantor.solvers.dispatch import solve_program
from test_trade import mrio


def world(years: int = 1) -> kt.Plan:
    """Regions that trade within half as much again of what was shipped, each with its workers; an emission budget."""
    eco = mrio(G=3, n=6)
    air = np.random.default_rng(1).uniform(0.1, 1.0, (1, eco.n_techniques))
    both = np.vstack([eco.S.to_numpy(), air])
    regions, shipments = kt.regions_of(
        eco.replace(intensities=pd.DataFrame(both, ["hours", "CO2"], eco.techniques), indicator_units=None)
    )
    caps = {pair: 1.5 * flows.droplevel([0, 1]) for pair, flows in shipments.groupby(level=[0, 1])}
    joined = kt.join_regions(regions, kt.Trade(observed=shipments, observed_only=True, limits=caps))
    use = joined.use(joined.activity)
    limits = {f"hours in {name}": float(use[f"hours in {name}"]) * 1.02 for name in regions}
    deficits = {f"net imports in {name}": max(float(use[f"net imports in {name}"]), 0.0) + 0.1 for name in regions}
    if years == 1:
        return kt.Plan(joined, limits=limits | deficits | {"CO2": 0.95 * float(use["CO2"])})
    budget = kt.Limit(at_most=0.97 * years * float(use["CO2"]), over="total")
    return kt.Plan(joined, limits=limits | deficits | {"CO2": budget}, horizon=kt.Horizon(years=years, growth=0.01))


@pytest.mark.parametrize("years", [1, 3])
def test_the_same_answer_as_the_simplex_method(years: int) -> None:
    program = world(years).compile()
    exact = solve_program(program, 1e-8, method="highs")
    found = solve_program(program, 1e-8, method="interior")
    assert found.certified
    assert found.gap <= 1e-8
    assert found.info.method == "interior"
    assert found.objective == pytest.approx(exact.objective, rel=1e-7)


def test_it_is_chosen_by_size(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small programs are not given to it; where the limits of its size are lowered, this one is."""
    plan = world()
    assert "interior" not in plan.solve(1e-6).info.method
    monkeypatch.setattr(interior, "FEWEST_NONZEROS", 1)
    monkeypatch.setattr(interior, "_WIDE", 1)
    result = plan.solve(1e-6)
    assert result.certified
    assert result.info.method == "interior"


def test_what_it_leaves_open_is_taken_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stopped after two iterations its point is the start of the first-order method."""
    monkeypatch.setattr(interior, "FEWEST_NONZEROS", 1)
    monkeypatch.setattr(interior, "_WIDE", 1)
    monkeypatch.setattr(interior, "_MOST_ITERATIONS", 2)
    result = world().solve(1e-5)
    assert result.certified
    assert result.info.method == "interior+pdhg"
    assert any("interior point method" in note for note in result.info.notes)


def test_utilities_are_refused() -> None:
    eco = kt.Economy.from_iot(A=[[0.5]], Y=[1.0], S=[[1.0]], labels=["grain"])
    with pytest.raises(OptionError, match="utilities are not linear"):
        kt.Plan(eco, objective=kt.Harmony(), limits={"resource 1": 2.0}).solve(method="interior")


@pytest.mark.parametrize("limit", [0, 1, 3])
def test_the_iteration_limit_is_its_own(limit: int) -> None:
    """The certificate is that of the point it stopped at, and nothing else is tried."""
    found = solve_program(world().compile(), 1e-8, method="interior", iteration_limit=limit)
    assert found.status is kt.Status.ITERATION_LIMIT
    assert found.info.method == "interior"
    assert found.info.iterations == limit


def test_the_limit_is_for_both_methods_together(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the interior point method leaves of it the first-order method may take."""
    monkeypatch.setattr(interior, "_MOST_ITERATIONS", 2)
    found = solve_program(world().compile(), 1e-12, method="interior", iteration_limit=52)
    assert found.status is kt.Status.ITERATION_LIMIT
    assert found.info.method == "interior+pdhg"
    assert found.info.iterations == 52


def test_ctrl_c_ends_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """While compiled code runs: the plan made without a solver is what is certified."""
    import highspy

    program, honest = world().compile(), highspy.Highs.run

    def press(self: highspy.Highs) -> object:
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0.3)  # the request arrives, and the callback is on, before the first iteration
        return honest(self)

    monkeypatch.setattr(highspy.Highs, "run", press)
    asked = []
    monkeypatch.setattr(highspy.Highs, "startCallback", lambda self, kind: asked.append(kind) or _start(self, kind))
    _start = highspy._core._Highs.startCallback
    found = solve_program(program, 1e-8, method="interior")
    assert found.status is kt.Status.INTERRUPTED
    assert np.isfinite(found.gap)
    assert len(asked) == 2
