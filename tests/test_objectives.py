"""Objectives: the arrays they compile to, their weights, and what zero and negative targets mean."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from kantor import Economy, Harmony, LogUtility, MaxScale, MinimiseUse, Plan, PowerUtility
from kantor.errors import OptionError, ProblemError
from kantor.solvers.problem import TermKind


@pytest.fixture
def economy() -> Economy:
    return Economy.from_iot(
        A=np.array([[0.2, 0.1, 0.0], [0.1, 0.3, 0.2], [0.0, 0.1, 0.1]]),
        Y=[10.0, 20.0, 30.0],
        S=np.array([[1.0, 2.0, 3.0], [0.5, 0.0, 0.25]]),
        labels=["grain", "iron", "cloth"],
        indicators=["hours", "carbon"],
        indicator_units=pd.Series({"hours": "h", "carbon": "t"}),
        aliases={"labour": "hours"},
    )


TARGETS = np.array([10.0, 0.0, -4.0])


def test_scale_multiplies_the_basket_by_the_weights(economy: Economy) -> None:
    made = MaxScale(weights={"grain": 2.0}).compile(economy, TARGETS)
    assert made.kind == "scale"
    assert made.targets.tolist() == [20.0, 0.0, -4.0]
    assert not made.cost.any()
    assert made.terms is None


def test_scale_needs_something_to_scale(economy: Economy) -> None:
    with pytest.raises(ProblemError, match="no product with a positive target"):
        MaxScale().compile(economy, np.array([0.0, 0.0, -1.0]))


def test_utilities_consume_only_positive_targets(economy: Economy) -> None:
    made = Harmony(weights=[3.0, 5.0, 7.0]).compile(economy, TARGETS)
    assert made.terms is not None
    assert made.kind == "utility"
    assert made.terms.kind.tolist() == [TermKind.HARMONY, TermKind.LINEAR, TermKind.LINEAR]
    assert (made.terms.a[0], made.terms.b[0]) == (3.0, 10.0)
    assert made.supply.tolist() == [0.0, 0.0, 4.0]
    assert made.targets.tolist() == [10.0, 0.0, 0.0]


@pytest.mark.parametrize(
    ("objective", "utility"),
    [
        (LogUtility(epsilon=0.5), lambda u: np.log(u + 0.5)),
        (PowerUtility(sigma=2.5), lambda u: u**-1.5 / -1.5),
        (PowerUtility(sigma=0.5), lambda u: u**0.5 / 0.5),
    ],
)
def test_terms_equal_the_utility_of_fulfilment(economy: Economy, objective: LogUtility, utility: object) -> None:
    """The terms and the constant give back the sum of u(C/g) at several consumptions."""
    targets = np.array([10.0, 20.0, 30.0])
    made = objective.compile(economy, targets)
    terms = made.terms
    assert terms is not None
    for share in (0.5, 1.0, 1.7):
        c = share * targets
        if terms.kind[0] == TermKind.LOG:
            value = float((terms.a * np.log(c + terms.b)).sum())
        else:
            value = float((terms.a * c ** (1 - terms.e) / (1 - terms.e)).sum())
        assert value + made.offset == pytest.approx(3 * utility(share), rel=1e-13)  # type: ignore[operator]


def test_minimised_use_is_a_cost(economy: Economy) -> None:
    assert MinimiseUse("labour").compile(economy, TARGETS).cost.tolist() == [1.0, 2.0, 3.0]
    priced = MinimiseUse({"labour": 2.0, "carbon": 4.0})
    assert priced.compile(economy, TARGETS).cost.tolist() == [4.0, 4.0, 7.0]
    assert MinimiseUse(["labour", "carbon"], weights=[2.0, 4.0]).factors() == priced.factors()
    assert MinimiseUse(["labour", "carbon"], weights={"carbon": 4.0}).factors() == {"labour": 1.0, "carbon": 4.0}
    assert MinimiseUse("labour").unit(economy) == "h"
    assert MinimiseUse("labour").compile(economy, TARGETS).targets.tolist() == TARGETS.tolist()


def test_unknown_indicator_is_named(economy: Economy) -> None:
    with pytest.raises(ProblemError, match="carbon"):
        MinimiseUse("carbn").compile(economy, TARGETS)


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ({"graim": 1.0}, "'graim'.*'grain'"),
        ({"grain": -1.0}, "'grain' has weight .*-1"),
        ({"grain": float("nan")}, "'grain' has weight .*nan"),
        (float("inf"), "'grain' has weight .*inf"),
        ([1.0, 2.0], r"shape \(2,\), expected \(3,\)"),
    ],
)
def test_bad_weights_name_the_product(economy: Economy, weights: object, message: str) -> None:
    with pytest.raises(ProblemError, match=message):
        Harmony(weights=weights).compile(economy, np.ones(3))  # type: ignore[arg-type]


def test_doubled_weight_label(economy: Economy) -> None:
    twice = pd.Series([1.0, 2.0], index=["iron", "iron"])
    with pytest.raises(ProblemError, match="'iron' occurs more than once"):
        Harmony(weights=twice).compile(economy, np.ones(3))


@pytest.mark.parametrize(
    "make",
    [
        lambda: LogUtility(epsilon=-1.0),
        lambda: LogUtility(epsilon=float("nan")),
        lambda: PowerUtility(sigma=1.0),
        lambda: PowerUtility(sigma=-2.0),
        lambda: MinimiseUse({}),
        lambda: MinimiseUse({"labour": float("nan")}),
        lambda: MinimiseUse(["labour"], weights=[1.0, 2.0]),
        lambda: MinimiseUse("labour", weights={"carbon": 1.0}),
        lambda: MinimiseUse({"labour": 1.0}, weights=2.0),
    ],
)
def test_impossible_parameters(make: object) -> None:
    with pytest.raises(OptionError):
        make()  # type: ignore[operator]


def test_parameters_that_would_overflow_are_refused() -> None:
    eco = Economy.from_iot(A=[[0.1]], Y=[3.0], S=[[1.0]], indicators=["hours"])
    with pytest.raises(ProblemError, match=r"weight 1e\+200.*0 to 1e\+100"):
        Plan(eco, objective=Harmony(weights=1e200))
    with pytest.raises(OptionError, match="choose a smaller sigma"):
        Plan(eco, objective=PowerUtility(sigma=1e5))
