"""Economy: validation, demand and indicators by name, base plans, changed copies."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from kantor.data.economy import Economy
from kantor.errors import ProblemError

SECTORS = ["grain", "iron", "transport"]


def small(**changes: Any) -> Economy:
    """Three sectors with two kinds of demand and two indicators."""
    Z = pd.DataFrame([[20.0, 5.0, 1.0], [10.0, 40.0, 4.0], [4.0, 8.0, 2.0]], SECTORS, SECTORS)
    Y = pd.DataFrame({"people": [50.0, 20.0, 5.0], "exports": [4.0, 26.0, 1.0]}, SECTORS)
    F = pd.DataFrame([[30.0, 50.0, 6.0], [5.0, 90.0, 3.0]], ["JOBS", "GHG"], SECTORS)
    options: dict[str, Any] = {
        "aliases": {"labour": "JOBS", "greenhouse gases": "GHG"},
        "unit": "t",
        "indicator_units": pd.Series({"GHG": "kg", "JOBS": "persons"}),
    }
    return Economy.from_iot(Z, Y, F=F, **{**options, **changes})


def test_coefficients_and_names() -> None:
    eco = small()
    assert eco.is_square
    assert eco.x.tolist() == [80.0, 100.0, 20.0]
    np.testing.assert_allclose(eco.A.toarray()[1], [10 / 80, 40 / 100, 4 / 20], rtol=1e-15)
    np.testing.assert_allclose(eco.S.loc["GHG"], [5 / 80, 90 / 100, 3 / 20], rtol=1e-15)
    assert eco.indicator_units is not None
    assert eco.indicator_units.to_dict() == {"JOBS": "persons", "GHG": "kg"}
    np.testing.assert_allclose(eco.net_output.toarray(), np.eye(3) - eco.A.toarray())
    assert eco.readable_names().tolist() == SECTORS


@pytest.mark.parametrize("name", ["labour", "LABOUR", "Labour ", "jobs", "JOBS"])
def test_indicator_aliases(name: str) -> None:
    assert small().indicator(name).name == "JOBS"


def test_unknown_indicator_is_suggested() -> None:
    with pytest.raises(ProblemError, match="unknown indicator 'GGH'; did you mean 'GHG'"):
        small().indicator("GGH")


def test_demand_by_name_series_and_array() -> None:
    eco = small()
    assert eco.demand("People").tolist() == [50, 20, 5]
    assert eco.demand("total").tolist() == [54, 46, 6]
    shuffled = pd.Series({"transport": 3.0, "grain": 1.0, "iron": 2.0})
    assert eco.demand(shuffled).tolist() == [1, 2, 3]
    assert eco.demand({"grain": 1, "iron": 2, "transport": 3}).tolist() == [1, 2, 3]
    assert eco.demand(np.arange(3)).index.tolist() == SECTORS


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        ("peple", "unknown demand category 'peple'; did you mean 'people'"),
        (pd.Series({"grain": 1.0, "iron": 2.0}), "1 of the 3 labels .* have no entry, first 'transport'"),
        (
            pd.Series({"grain": 1.0, "irom": 2.0, "transport": 1.0}),
            "1 of 3 labels are not in .* 'irom'; did you mean 'iron'",
        ),
        (pd.Series({"grain": 1.0, "iron": np.nan, "transport": 1.0}), "'iron' is nan"),
        (np.ones(4), r"shape \(4,\), expected \(3,\)"),
        (None, "got None"),
    ],
)
def test_wrong_demand(wanted: Any, said: str) -> None:
    with pytest.raises(ProblemError, match=said):
        small().demand(wanted)


def test_regions_and_kinds_of_demand_add_up() -> None:
    eco = Economy.from_mrio(
        Z=np.ones((4, 4)),
        Y=np.arange(16.0).reshape(4, 4),
        regions=["N", "S"],
        sectors=["a", "b"],
        demand_categories=["use", "invest"],
    )
    np.testing.assert_allclose(eco.demand("N"), [1, 9, 17, 25])
    np.testing.assert_allclose(eco.demand("use"), [2, 10, 18, 26])
    np.testing.assert_allclose(eco.demand(("S", "invest")), [3, 7, 11, 15])
    np.testing.assert_allclose(eco.demand("total"), eco.Y.sum(axis=1))
    with pytest.raises(ProblemError, match="did you mean 'invest'"):
        eco.demand("invst")


def test_base_plan_solves_the_system() -> None:
    eco = small()
    for what in ("people", "total"):
        x = eco.base_plan(what)
        np.testing.assert_allclose(x - eco.A @ x, eco.demand(what), rtol=1e-11)
    np.testing.assert_allclose(eco.base_plan("total"), eco.x, rtol=1e-11)
    np.testing.assert_allclose(eco.base_use("total"), [86.0, 98.0], rtol=1e-11)


def test_base_plan_leaves_new_techniques_idle() -> None:
    eco = small().with_technique("iron", "scrap iron", {"transport": 0.1}, {"labour": 0.2})
    x = eco.base_plan("people")
    assert x["scrap iron"] == 0
    np.testing.assert_allclose(x[SECTORS], small().base_plan("people"), rtol=1e-12)


def test_base_plan_of_joint_production() -> None:
    eco = Economy.from_arrays(
        np.array([[5.0, 0.0], [0.0, 10.0]]),
        np.array([[6.0, 3.0], [1.0, 12.0]]),
        intensities=np.ones((1, 2)),
        products=["good 1", "good 2"],
        techniques=["first", "second"],
        indicators=["labour"],
    )
    x = eco.base_plan([4.0, 3.0])  # one unit of each process delivers (1 + 3, 1 + 2)
    np.testing.assert_allclose(x, [1, 1], rtol=1e-12)
    # (8, 1) needs an activity of -13 to be met exactly: the observed mix, scaled, delivers at least it.
    x = eco.base_plan([8.0, 1.0])
    np.testing.assert_allclose(x, [2, 2], rtol=1e-12)


def test_no_base_plan_where_the_observed_activity_delivers_nothing() -> None:
    eco = Economy.from_arrays(np.zeros((2, 1)), np.array([[1.0], [0.0]]), products=["a", "b"], techniques=["only a"])
    with pytest.raises(ProblemError, match=r"delivers 0.0 of 'b', of which 1.0 are wanted"):
        eco.base_plan([1.0, 1.0])


def test_with_technique_of_a_multi_regional_table() -> None:
    labels = pd.MultiIndex.from_product([["N", "S"], ["power", "steel"]], names=["region", "sector"])
    Z = pd.DataFrame(np.ones((4, 4)), labels, labels)
    eco = Economy.from_mrio(Z=Z, Y=pd.Series(10.0, labels), F=pd.DataFrame([[1.0] * 4], ["CO2"], labels))
    more = eco.with_technique(("N", "power"), "wind", {}, {"co2": 0.0}, like=("N", "power"), capacity=3.0)
    assert more.techniques[-1] == ("N", "wind")
    assert more.techniques.names == ["region", "sector"]
    assert more.n_techniques == 5
    assert not more.is_square
    np.testing.assert_allclose(more.A.toarray()[:, -1], eco.A.toarray()[:, 0])
    assert more.indicator("CO2").iloc[-1] == 0
    assert more.capacities is not None
    assert more.capacities[("N", "wind")] == 3.0
    assert np.isinf(more.capacities.iloc[:4]).all()
    assert eco.n_techniques == 4


@pytest.mark.parametrize(
    ("product", "name", "inputs", "said"),
    [
        ("irn", "x", {}, "product 'irn' is none of the products; did you mean 'iron'"),
        ("iron", "grain", {}, "technique 'grain' exists already"),
        ("iron", "x", {"grian": 1.0}, "'grian' is none of the products; did you mean 'grain'"),
        ("iron", "x", {"grain": np.inf}, "'grain'.* is inf"),
    ],
)
def test_wrong_technique(product: str, name: str, inputs: dict[str, float], said: str) -> None:
    with pytest.raises(ProblemError, match=said):
        small().with_technique(product, name, inputs, {"labour": 1.0})


def test_a_technique_without_resources_is_noted() -> None:
    assert "uses no 'GHG'" in small().with_technique("iron", "x", {}, {"labour": 1.0}).notes[-1]


def test_capacities() -> None:
    eco = small().with_capacities({"iron": 110.0}).with_capacities(pd.Series({"grain": 0.0}))
    assert eco.capacities is not None
    assert eco.capacities.tolist() == [0.0, 110.0, np.inf]
    with pytest.raises(ProblemError, match=r"'iron' is -1\.0, expected >= 0"):
        eco.with_capacities({"iron": -1})
    with pytest.raises(ProblemError, match="'steel' is none of the techniques"):
        eco.with_capacities({"steel": 1.0})


def test_technologies_and_the_demands_that_belong_to_them() -> None:
    base = small()
    domestic = sp.csr_array(base.A * 0.5)
    eco = base.replace(
        technologies={"domestic": domestic},
        technology="total",
        demand_technology={"people": "domestic", "exports": "total"},
        total_categories={"domestic": "people", "total": "exports"},
    )
    assert eco.demand("total").tolist() == [4, 26, 1]
    with pytest.raises(ProblemError, match="'people' belongs to technology 'domestic', the economy uses 'total'"):
        eco.demand("people")
    other = eco.for_demand("people")
    assert other.technology == "domestic"
    np.testing.assert_allclose(other.A.toarray(), domestic.toarray())
    assert other.demand("total").tolist() == [50, 20, 5]
    assert eco.for_demand("exports") is eco
    np.testing.assert_allclose(other.with_technology("total").A.toarray(), eco.A.toarray())
    with pytest.raises(ProblemError, match="unknown technology 'totl'; did you mean 'total'"):
        eco.with_technology("totl")


def test_frames_with_shuffled_labels_are_put_in_order() -> None:
    eco = small()
    order = ["transport", "grain", "iron"]
    Z = pd.DataFrame([[20.0, 5.0, 1.0], [10.0, 40.0, 4.0], [4.0, 8.0, 2.0]], SECTORS, SECTORS)
    F = pd.DataFrame([[30.0, 50.0, 6.0]], ["JOBS"], SECTORS)
    again = Economy.from_iot(Z[order], eco.Y.loc[order], F=F[order], x=eco.x[order])
    np.testing.assert_allclose(again.A.toarray(), eco.A.toarray(), rtol=1e-15)
    np.testing.assert_allclose(again.Y.to_numpy(), eco.Y.to_numpy())
    np.testing.assert_allclose(again.S.loc["JOBS"], eco.S.loc["JOBS"], rtol=1e-15)


@settings(max_examples=30, deadline=None)
@given(st.permutations(range(3)), st.integers(1, 10**6))
def test_the_plan_does_not_depend_on_order_or_units(order: list[int], factor: int) -> None:
    eco = small()
    labels = [SECTORS[i] for i in order]
    A = pd.DataFrame(eco.A.toarray(), SECTORS, SECTORS).loc[labels, labels]
    scale = pd.Series([float(factor), 1.0, 1.0], SECTORS)[labels].to_numpy()
    A = A * scale[:, None] / scale[None, :]
    again = Economy.from_iot(A=A, Y=eco.demand("total")[labels] * scale)
    np.testing.assert_allclose((again.x / scale)[SECTORS], eco.x, rtol=1e-10)


def test_describe_and_repr() -> None:
    eco = small()
    assert repr(eco) == "<Economy 'table': 3 products, 9 inputs, 2 indicators, 2 demand categories>"
    text = eco.describe()
    assert "GHG = greenhouse_gases [kg]" in text
    assert "'people', 'exports'" in text


def test_economy_is_a_constant() -> None:
    with pytest.raises(AttributeError):
        small().name = "other"  # type: ignore[misc]
