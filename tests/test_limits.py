"""Limits: every way to write a bound, its base, and the errors that name the culprit."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from kantor import Economy, Limit
from kantor.errors import ProblemError
from kantor.planning.limits import parse_bound, resolve_limits


@pytest.fixture
def economy() -> Economy:
    return Economy.from_iot(
        A=np.array([[0.2, 0.1], [0.1, 0.3]]),
        Y=[10.0, 20.0],
        S=np.array([[1.0, 2.0], [0.5, 0.0]]),
        labels=["grain", "iron"],
        indicators=["HOURS", "CO2"],
        indicator_units=pd.Series({"HOURS": "h", "CO2": "kg CO2 eq"}),
        aliases={"labour": "HOURS", "ghg": "CO2"},
    )


BASE = pd.Series({"HOURS": 200.0, "CO2": 40.0})


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        (50.0, 50.0),
        (7, 7.0),
        (np.float64(3.5), 3.5),
        ("50", 50.0),
        ("102%", 204.0),
        ("102 %", 204.0),
        ("-5%", 190.0),
        ("+2 %", 204.0),
        ("0%", 0.0),
        ("4.6e1 h", 46.0),
        ("46h", 46.0),
    ],
)
def test_ways_to_write_a_bound(economy: Economy, written: float | str, expected: float) -> None:
    (limit,) = resolve_limits({"labour": written}, economy, BASE)
    assert limit.upper == pytest.approx(expected, rel=1e-15)
    assert limit.lower == -np.inf
    assert (limit.name, limit.indicator, limit.unit, limit.base) == ("labour", "HOURS", "h", 200.0)
    (limit,) = resolve_limits({"floor": Limit(indicator="labour", at_least=written)}, economy, BASE)
    assert (limit.lower, limit.upper) == (pytest.approx(expected, rel=1e-15), np.inf)


def test_a_band_and_two_limits_on_one_indicator(economy: Economy) -> None:
    found = resolve_limits(
        {"work": Limit(indicator="labour", at_least="90%", at_most="110%"), "HOURS": 1.0}, economy, BASE
    )
    assert [(limit.name, limit.lower, limit.upper) for limit in found] == [
        ("work", 180.0, pytest.approx(220.0)),
        ("HOURS", -np.inf, 1.0),
    ]


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        ({"labuor": 1.0}, "labuor.*labour"),
        ({"cap": Limit(indicator="C02", at_most=1.0)}, "limits\\['cap'\\].*C02.*CO2"),
        ({"ghg": float("nan")}, "'ghg'.*NaN"),
        ({"ghg": "nan"}, "'ghg'.*NaN"),
        ({"ghg": "lots"}, "cannot read 'lots'"),
        ({"ghg": True}, "True, expected a number"),
        ({"ghg": "5 t"}, "unit 't'.*'kg CO2 eq'"),
        ({"ghg": Limit(at_most=5.0, unit="Mt")}, "unit 'Mt'.*'kg CO2 eq'"),
        ({"ghg": Limit()}, "neither at_most nor at_least"),
        ({"ghg": Limit(at_most=1.0, at_least=2.0)}, "at_least 2 exceeds at_most 1"),
        ({"ghg": Limit(at_most="-10%", at_least="95%")}, r"'95%' \(= 38\) exceeds at_most '-10%' \(= 36\)"),
    ],
)
def test_errors_name_the_limit(economy: Economy, limits: dict[str, object], message: str) -> None:
    with pytest.raises(ProblemError, match=message):
        resolve_limits(limits, economy, BASE)  # type: ignore[arg-type]


def test_units_are_compared_without_regard_to_blanks_and_case(economy: Economy) -> None:
    (limit,) = resolve_limits({"ghg": Limit(at_most="5 KG  co2 EQ", unit="Kg CO2 eq")}, economy, BASE)
    assert limit.upper == 5.0


def test_a_percentage_needs_a_positive_base(economy: Economy) -> None:
    with pytest.raises(ProblemError, match="no base because"):
        resolve_limits({"ghg": "95%"}, economy, None, "no base because")
    with pytest.raises(ProblemError, match="give a number instead"):
        resolve_limits({"ghg": "95%"}, economy, BASE * 0.0)
    (limit,) = resolve_limits({"ghg": 5.0}, economy, None)
    assert np.isnan(limit.base)


def test_parse_bound_keeps_the_sign() -> None:
    assert parse_bound("+0%", "x") == ("relative", 0.0, "")
    assert parse_bound("-3", "x") == ("number", -3.0, "")
