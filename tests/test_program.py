"""PlanningProgram: what it refuses, how it becomes a linear program, and its scaling by values."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse as sp

from kantor.errors import ProblemError
from kantor.solvers.problem import SeparableTerms, TermKind
from kantor.solvers.program import PlanningProgram, to_linear_program, value_scaling

_spec = importlib.util.spec_from_file_location("random_programs", Path(__file__).with_name("random_programs.py"))
random_programs = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(random_programs)

INF = np.inf


def bakery(kind="scale", **changes):
    """Two goods, three techniques (bread by two), two resources."""
    given = {
        "output": [[1.0, 0.0, 0.0], [0.0, 1.0, 2.0]],
        "input": [[0.1, 0.4, 0.5], [0.0, 0.2, 0.0]],
        "targets": [1.0, 3.0],
        "resource_use": [[1.0, 2.0, 3.0], [0.0, 1.0, 0.0]],
        "resource_upper": [10.0, INF],
        "resource_lower": [-INF, 0.5],
        "capacity": [INF, 4.0, INF],
        "cost": [1.0, 2.0, 3.0] if kind == "use" else [0.0, 0.0, 0.0],
    } | changes
    return PlanningProgram.build(kind, given.pop("output"), given.pop("input"), given.pop("targets"), **given)


def harmony(n, at):
    terms = SeparableTerms.linear(n)
    terms.kind[at], terms.a[at], terms.b[at] = TermKind.HARMONY, 1.0, 2.0
    return terms


# ---- refused ---------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"output": [[1.0, 0.0, 0.0], [0.0, np.nan, 2.0]]}, r"output: entry \(1, 1\) is .*nan"),
        ({"output": [[1.0, 0.0, 0.0], [0.0, -1.0, 2.0]]}, r"output: entry \(1, 1\) is .*-1"),
        ({"output": np.zeros((0, 3)), "input": np.zeros((0, 3)), "targets": []}, "at least one good"),
        ({"output": [1.0, 2.0]}, "expected a 2-D matrix"),
        ({"input": [[0.1, 0.4, INF], [0.0, 0.2, 0.0]]}, r"input: entry \(0, 2\) is .*inf"),
        ({"input": [[0.1, 0.4], [0.0, 0.2]]}, r"input: shape \(2, 2\), expected \(2, 3\)"),
        ({"input": [[1e-120, 0.4, 0.5], [0.0, 0.2, 0.0]]}, r"input: entry \(0, 0\).*magnitude"),
        ({"targets": [1.0]}, r"targets: shape \(1,\), expected \(2,\)"),
        ({"targets": [1.0, np.nan]}, r"targets\[1\] is .*nan"),
        ({"targets": [0.0, -1.0]}, "targets: no entry is positive"),
        ({"resource_use": [[1.0, 2.0]]}, r"resource_use: shape \(1, 2\)"),
        ({"resource_upper": [10.0, np.nan]}, r"resource_upper\[1\] is .*nan"),
        ({"resource_upper": [-INF, 1.0]}, r"resource_upper\[0\] is .*-inf"),
        ({"resource_lower": [11.0, 0.5]}, r"resource_lower\[0\] = .*11.* exceeds resource_upper\[0\]"),
        ({"capacity": [INF, -4.0, INF]}, r"capacity\[1\] = .*-4"),
        ({"cost": [0.0, 1.0, 0.0]}, r"cost\[1\] = .*only the kind 'use'"),
        ({"terms": harmony(2, [0])}, "terms: expected None"),
    ],
)
def test_what_is_wrong_is_named(changes, words):
    with pytest.raises(ProblemError, match=words):
        bakery(**changes)


def test_a_utility_needs_terms_that_value_something():
    with pytest.raises(ProblemError, match="terms: expected SeparableTerms"):
        bakery("utility")
    with pytest.raises(ProblemError, match="nothing is consumed"):
        bakery("utility", terms=SeparableTerms.linear(2))
    with pytest.raises(ProblemError, match="kind: got 'most'"):
        bakery("most")


# ---- structure -------------------------------------------------------------------------------------------------
def test_producers():
    program = bakery(output=[[1.0, 0.0, 0.5], [0.0, 0.0, 2.0]])
    assert program.producer_of.tolist() == [0, -1, -2]
    assert program.own_output.tolist() == [1.0, 0.0, 2.0]
    assert program.diagonal_output is None
    assert PlanningProgram.build("scale", 2 * np.eye(2), np.zeros((2, 2)), [1.0, 1.0]).diagonal_output.tolist() == [
        2.0,
        2.0,
    ]
    swapped = PlanningProgram.build("scale", np.eye(2)[::-1], np.zeros((2, 2)), [1.0, 1.0])
    assert swapped.diagonal_output is None
    assert swapped.producer_of.tolist() == [1, 0]


def test_duplicate_entries_are_added_once():
    doubled = sp.csr_array((np.array([1.0, 2.0]), np.array([0, 0]), np.array([0, 2])), shape=(1, 1))
    assert PlanningProgram.build("scale", doubled, np.zeros((1, 1)), [1.0]).output.toarray().tolist() == [[3.0]]


# ---- the linear program ----------------------------------------------------------------------------------------
def test_scale_as_a_linear_program():
    lp, layout = to_linear_program(bakery())
    assert lp.K.toarray().tolist() == [
        [0.9, -0.4, -0.5, -1.0],
        [0.0, 0.8, 2.0, -3.0],
        [1.0, 2.0, 3.0, 0.0],
        [0.0, 1.0, 0.0, 0.0],
    ]
    assert lp.c.tolist() == [0.0, 0.0, 0.0, -1.0]
    assert lp.row_lower.tolist() == [0.0, 0.0, -INF, 0.5]
    assert lp.row_upper.tolist() == [INF, INF, 10.0, INF]
    assert lp.upper.tolist() == [INF, 4.0, INF, INF]
    activity, scale, consumption = layout.split_primal(np.array([1.0, 2.0, 3.0, 0.5]), np.array([1.0, 3.0]))
    assert (activity.tolist(), scale, consumption.tolist()) == ([1.0, 2.0, 3.0], 0.5, [0.5, 1.5])


def test_use_as_a_linear_program():
    lp, layout = to_linear_program(bakery("use"))
    assert lp.K.shape == (4, 3)
    assert lp.c.tolist() == [1.0, 2.0, 3.0]
    assert lp.row_lower.tolist() == [1.0, 3.0, -INF, 0.5]
    prices, rents, floors = layout.split_dual(np.array([2.0, -1e-9, -3.0, 4.0]))
    assert (prices.tolist(), rents.tolist(), floors.tolist()) == ([2.0, 0.0], [3.0, 0.0], [0.0, 4.0])
    assert layout.join_dual(prices, rents, floors).tolist() == [2.0, 0.0, -3.0, 4.0]


def test_utility_leaves_out_what_is_not_consumed():
    lp, layout = to_linear_program(bakery("utility", terms=harmony(2, [1])))
    assert lp.K.toarray()[:2, 3:].tolist() == [[0.0], [-1.0]]
    assert lp.terms.kind.tolist() == [0, 0, 0, TermKind.HARMONY]
    x = np.array([1.0, 2.0, 3.0, 7.0])
    activity, _, consumption = layout.split_primal(x, np.zeros(2))
    assert consumption.tolist() == [0.0, 7.0]
    assert layout.join_primal(activity, np.nan, consumption).tolist() == x.tolist()


def test_power_terms_learn_what_is_usual_from_the_targets():
    terms = SeparableTerms.linear(2)
    terms.kind[:], terms.a[:], terms.e[:] = TermKind.POWER, 1.0, 2.0
    lp, _ = to_linear_program(bakery("utility", terms=terms, targets=[5.0, 0.0]))
    assert lp.terms.b[3:].tolist() == [5.0, 1.0]


def test_shrink_pulls_limits_inwards_and_never_past_each_other():
    program = bakery("use", resource_upper=[10.0, 0.6], resource_lower=[-4.0, 0.5])
    lp, _ = to_linear_program(program, shrink=0.25)
    assert lp.row_upper[2:].tolist() == [7.5, 0.55]
    assert lp.row_lower[2:].tolist() == [-3.0, 0.55]
    assert lp.upper.tolist() == [INF, 3.0, INF]
    assert lp.row_lower[:2].tolist() == [1.0, 3.0]


# ---- values ----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("kind", ["scale", "use", "utility"])
def test_value_scaling_cancels_units(kind):
    rng = np.random.default_rng(211)
    for _ in range(5):
        instance = random_programs.draw(rng, kind, {"capacities"})
        n, m, _ = instance.plain.shape
        u, v, p = rng.lognormal(0, 5, n), rng.lognormal(0, 5, m), rng.lognormal(0, 1, n)
        scaled = []
        for program, prices in ((instance.plain, p), (random_programs.in_units(instance.plain, u, v), p / u)):
            lp, _ = to_linear_program(program)
            rows, columns = value_scaling(program, prices)
            assert (rows > 0).all()
            assert (columns > 0).all()
            scaled.append(rows[:, None] * lp.K.toarray() / columns)
        assert np.allclose(scaled[0], scaled[1], rtol=1e-12, atol=0)


def test_value_scaling_survives_goods_and_techniques_without_value():
    program = bakery(output=[[1.0, 0.0, 0.0], [0.0, 0.0, 2.0]], input=np.zeros((2, 3)), resource_use=np.zeros((1, 3)),
                     resource_upper=[0.0], resource_lower=[-INF])  # fmt: skip
    rows, columns = value_scaling(program, np.zeros(2))
    assert np.isfinite(rows).all()
    assert np.isfinite(columns).all()
    assert min(rows.min(), columns.min()) > 0
