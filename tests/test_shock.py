"""Shocks: least loss against linprog, rationing, recovery, and the loss divided among its causes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.optimize import linprog

import kantor as kt
from kantor.errors import ProblemError
from kantor.feedback.shock import ration, shock

GOODS = ["coal", "steel", "cars", "bread"]
A = np.array([[0.05, 0.4, 0.0, 0.1], [0.1, 0.1, 0.3, 0.0], [0.0, 0.05, 0.0, 0.05], [0.0, 0.0, 0.0, 0.1]])
Y = np.array([1.0, 1.0, 4.0, 10.0])


def economy() -> kt.Economy:
    return kt.Economy.from_iot(A=A, Y=Y, S=[[1.0, 2.0, 3.0, 1.0]], labels=GOODS, indicators=["labour"])


def least_loss(capacity: np.ndarray, worth: np.ndarray, labour: float = np.inf) -> float:
    """The same linear programme by another solver."""
    n = len(Y)
    left, right = np.hstack([A - np.eye(n), -np.eye(n)]), -Y
    if np.isfinite(labour):
        left = np.vstack([left, np.append([1.0, 2.0, 3.0, 1.0], np.zeros(n))])
        right = np.append(right, labour)
    found = linprog(np.append(np.zeros(n), worth), left, right, bounds=[*zip(np.zeros(n), capacity, strict=True),
                                                                       *zip(np.zeros(n), Y, strict=True)])  # fmt: skip
    return float(found.fun)


@pytest.mark.parametrize("spare", [0.0, 0.05, np.inf])
@pytest.mark.parametrize("lost", [{"coal": 0.5}, {"steel": 0.3, "bread": 0.2}, {"cars": 1.0}])
def test_the_loss_is_the_least(lost: dict[str, float], spare: float) -> None:
    x = np.linalg.solve(np.eye(4) - A, Y)
    capacity = x * (1.0 + spare)
    for name, share in lost.items():
        capacity[GOODS.index(name)] = (1.0 - share) * x[GOODS.index(name)]
    worth = np.array([1.0, 2.0, 0.5, 1.0])
    found = shock(economy(), lost, spare=spare, worth=worth)
    expected = least_loss(capacity, worth / (worth @ Y))
    row = found.losses.loc[1]
    assert row["lower"] - 1e-12 <= expected <= row["upper"] + 1e-12
    assert row["upper"] - row["lower"] < 2e-6
    assert row["loss"] <= row["rationing"] + 2e-6


def test_limits_hold_in_amounts_of_the_base() -> None:
    x = np.linalg.solve(np.eye(4) - A, Y)
    most = 0.9 * float(np.array([1.0, 2.0, 3.0, 1.0]) @ x)
    found = shock(economy(), {"coal": 0.1}, limits={"labour": most}, spare=np.inf)
    capacity = np.full(4, np.inf)
    capacity[0] = 0.9 * x[0]
    assert found.losses.loc[1, "loss"] == pytest.approx(least_loss(capacity, np.ones(4) / Y.sum(), most), abs=2e-6)


def test_rationing_gives_every_user_the_same_share() -> None:
    """Coal at half: steel and bread get half of what they ordered, cars half the steel, and so everything halves."""
    eco = economy()
    x = np.linalg.solve(np.eye(4) - A, Y)
    activity, loss = ration(eco, x, x * [0.5, 1.0, 1.0, 1.0], Y, np.ones(4) / Y.sum())
    assert activity == pytest.approx(0.5 * x)
    assert loss == pytest.approx(0.5)
    apart = kt.Economy.from_iot(A=[[0.0, 0.5, 0.0], [0.0, 0.0, 0.0], [0.0, 0.0, 0.0]], Y=[1.0, 2.0, 3.0])
    activity, loss = ration(
        apart, np.array([2.0, 2.0, 3.0]), np.array([1.0, 2.0, 3.0]), np.array([1.0, 2.0, 3.0]), np.ones(3)
    )
    assert activity == pytest.approx([1.0, 1.0, 3.0])
    assert loss == pytest.approx(0.5 + 1.0)


def test_recovery_says_when_what_is_short() -> None:
    found = shock(economy(), {"coal": 0.5}, recovery=(1.0, 0.5, 0.0))
    loss = found.losses["loss"].to_numpy()
    assert loss[0] > loss[1] > 1e-3
    assert loss[2] == pytest.approx(0.0, abs=2e-6)
    assert list(found.short.columns) == [1, 2, 3]
    assert (found.short[1] >= found.short[2] - 1e-6).all()
    assert found.short[3].max() < 1e-4


def test_causes_add_up_and_the_scarcer_one_counts_more() -> None:
    found = shock(economy(), {"coal": 0.5, "cars": 0.1}, spare=0.1)
    causes = found.causes(steps=20).set_index("technique")
    assert causes["effect"].sum() == pytest.approx(found.losses.loc[1, "loss"])
    assert abs(causes.loc["rest", "effect"]) < 0.05 * found.losses.loc[1, "loss"]
    assert causes.loc["coal", "effect"] > causes.loc["cars", "effect"] > 0


def test_surplus_goods_get_a_use_and_what_it_lacks() -> None:
    found = shock(economy(), {"coal": 0.5})
    surplus = found.surplus()
    assert len(surplus)
    assert (surplus["idle"] + surplus["unused"] > 0).all()
    assert set(surplus["use_in"]) <= {"", *GOODS}


def test_a_region_stands_for_all_its_techniques() -> None:
    eco = kt.Economy.from_mrio(
        A=np.diag([0.1, 0.2, 0.1, 0.2]), Y=[[1.0, 0.0], [2.0, 0.0], [0.0, 1.0], [0.0, 2.0]],
        regions=["north", "south"], sectors=["a", "b"], demand_categories=["use"],
    )  # fmt: skip
    found = shock(eco, {"south": 0.5})
    assert found.losses.loc[1, "loss"] == pytest.approx(0.25, abs=2e-6)
    assert found.short.index.tolist() == [("south", "b"), ("south", "a")]


@pytest.mark.parametrize("lost", [{"coal": 1.5}, {"coals": 0.5}, {"coal": float("nan")}])
def test_impossible_shocks_are_refused(lost: Any) -> None:
    with pytest.raises(ProblemError, match="shock"):
        shock(economy(), lost)


def test_a_shock_to_a_dense_table_finds_its_method() -> None:
    """Every technique has a capacity and some demand is a supply: the first-order method takes minutes there."""
    n = 240
    rng = np.random.default_rng(1)
    A = rng.dirichlet(np.full(n, 0.3), n).T * rng.uniform(0.3, 0.7, n)
    wanted = rng.lognormal(0.0, 1.0, n)
    wanted[3] = -0.01
    eco = kt.Economy.from_iot(A=A, Y=wanted, labels=[f"s{k}" for k in range(n)])
    found = shock(eco, {"s0": 0.5, "s1": 0.5}, spare=0.02)
    assert [r.info.method for r in (found.before, *found.periods)] == ["interior", "interior"]
    assert found.losses.loc[1, "upper"] - found.losses.loc[1, "lower"] <= 2e-6
    assert 0.0 < found.losses.loc[1, "loss"] < found.losses.loc[1, "rationing"]
