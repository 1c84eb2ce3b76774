"""Plans over several years that share one technology: against the same plan written out, and the memory it takes."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp

import kantor as kt
from kantor.data.cells import in_blocks
from kantor.errors import ProblemError
from kantor.solvers.dispatch import solve_program
from kantor.solvers.evaluate import Evaluator
from kantor.solvers.horizon import HorizonProgram, StackedEvaluator, solve_horizon
from kantor.solvers.slots import SlotMatrix
from kantor.solvers.solution import Status

INF = np.inf


def drawn(seed, kind, years=4, n=7, **changes):
    rng = np.random.default_rng(seed)
    A = sp.random_array((n, n), density=0.4, rng=rng).toarray()
    A *= 0.6 / np.maximum(A.sum(axis=0), 1e-9)
    y = rng.lognormal(0, 1, (years, n))
    x = np.linalg.solve(np.eye(n) - A, y.T).T
    R, H = rng.random((2, n)), rng.random((1, n))
    given = {
        "yearly_use": R, "yearly_upper": (x @ R.T) * rng.uniform(1.0, 1.4, (years, 2)),
        "horizon_use": H, "horizon_upper": (x @ H.T).sum(axis=0) * (0.9 if kind == "scale" else 1.1),
    }  # fmt: skip
    if kind == "use":
        given["cost"] = rng.random((years, n))
    return HorizonProgram.build(kind, np.eye(n), A, y, **(given | changes))


@pytest.mark.parametrize("kind", ["scale", "use"])
@pytest.mark.parametrize("seed", range(5))
def test_shared_years_have_the_optimum_of_the_plan_written_out(kind, seed):
    program = drawn(seed, kind)
    found = solve_horizon(program, 1e-9)
    whole = solve_program(program.stacked().expanded(), 1e-9, method="highs")
    assert found.status is Status.OPTIMAL
    assert found.certified
    assert found.info.method == "reduced"
    assert found.objective == pytest.approx(whole.objective, rel=1e-7)
    assert found.lower_bound <= whole.upper_bound
    assert whole.lower_bound <= found.upper_bound


def test_the_judges_of_slots_say_what_those_of_the_whole_say():
    program = drawn(11, "scale")
    stacked = program.stacked()
    shared, whole = StackedEvaluator(stacked), Evaluator(stacked.expanded())
    rng = np.random.default_rng(12)
    found = solve_horizon(program, 1e-9)
    plan, prices = found.activity.ravel(), found.prices.ravel()
    rents = np.concatenate([found.yearly_rents.ravel(), found.horizon_rents])
    none = np.zeros_like(rents)
    for factor in (1.0, 1.0 + 1e-9, 0.7):
        x = plan * (factor if factor > 0.9 else rng.random(plan.size))
        a, b = (e.check_plan(x, found.scale, stacked.targets) for e in (shared, whole))
        assert (a.feasible, a.why) == (b.feasible, b.why)
        a, b = (e.bound(prices / factor, rents, none) for e in (shared, whole))
        assert a.value == pytest.approx(b.value, rel=1e-12)


def test_what_cannot_be_eliminated_is_written_out():
    program = drawn(13, "use", capacity=np.full((4, 7), 1e3))
    found = solve_horizon(program, 1e-6)
    assert found.status is Status.OPTIMAL
    assert "written out" in found.info.notes[-1]
    assert found.activity.shape == (4, 7)
    floors = solve_horizon(drawn(13, "use", horizon_lower=drawn(13, "use").horizon_upper * 0.99), 1e-7)
    assert floors.status is Status.OPTIMAL
    assert floors.horizon_floor_rents[0] > 0.0


def test_slots_multiply_like_the_matrix_written_out():
    rng = np.random.default_rng(14)
    A, B = (sp.csr_array(rng.normal(size=(3, 4)) * (rng.random((3, 4)) < 0.6)) for _ in range(2))
    slots = SlotMatrix([(0, 0, A), (1, 1, A), (1, 0, B), (2, 1, A), (0, 0, B)], [3, 3, 3], [4, 4])
    whole = slots.expanded().toarray()
    x, y = rng.normal(size=8), rng.normal(size=9)
    assert np.allclose(slots @ x, whole @ x)
    assert np.allclose(slots.transposed_times(y), whole.T @ y)
    size = slots.magnitude()
    assert all((part.data > 0).all() for _, _, part in size.blocks)
    assert size.stored_nnz == slots.stored_nnz
    assert slots.stored_nnz == A.nnz + B.nnz
    rows, columns = slots.counts()
    assert rows.sum() == columns.sum() == slots.nnz == 3 * A.nnz + 2 * B.nnz
    at, data = slots.row(4)
    assert np.isclose(data @ x[at], whole[4] @ x)


def test_mistakes_are_named():
    with pytest.raises(ProblemError, match=r"blocks\[0\]: slot \(0, 0\) has shape \(1, 2\), expected \(2, 2\)"):
        SlotMatrix([(0, 0, sp.csr_array((1, 2)))], [2], [2])
    with pytest.raises(ProblemError, match="kind: got 'utility'"):
        drawn(1, "utility")
    with pytest.raises(ProblemError, match=r"yearly_upper: shape \(3, 2\), expected \(4, 2\)"):
        drawn(1, "use", yearly_upper=np.ones((3, 2)))
    y = drawn(1, "use").targets.copy()
    y[2, 3] = np.nan
    program = drawn(1, "use")
    with pytest.raises(ProblemError, match=r"year 2: targets\[3\] is nan"):
        HorizonProgram.build("use", program.output, program.input, y)


# ---- through kt.Plan -------------------------------------------------------------------------------------------------
def economy(n: int = 30, seed: int = 0) -> kt.Economy:
    rng = np.random.default_rng(seed)
    A = np.where(rng.random((n, n)) < 0.3, rng.random((n, n)), 0.0)
    A *= 0.6 / np.maximum(A.sum(axis=0), 1e-3)
    return kt.Economy.from_iot(
        A=A, Y=rng.uniform(1.0, 3.0, n), S=rng.uniform(0.5, 2.0, (2, n)), labels=[f"p{i}" for i in range(n)],
        indicators=["labour", "CO2"],
    )  # fmt: skip


PLANS: dict[str, dict[str, Any]] = {
    "labour of a year": {"limits": {"labour": "90%"}},
    "budget": {"limits": {"labour": "120%", "carbon": kt.Limit(indicator="CO2", at_most="95%", over="total")}},
    "years of their own": {
        "limits": {
            "CO2": kt.Limit(at_most={2031: "80%", 2032: 1e9}),
            "again": kt.Limit(indicator="CO2", at_most={2031: "99%"}, at_least={2030: 0.1}),
            "labour": "150%",
        }
    },
    "weights": {"limits": {"labour": "90%"}, "objective": kt.MaxScale(weights={"p3": 2.0, "p4": 0.0})},
    "least labour": {"limits": {"CO2": "150%"}, "objective": kt.MinimiseUse({"labour": 1.0, "CO2": 0.5})},
    "least labour of a year": {"limits": {"CO2": "150%"}, "objective": kt.MinimiseUse("labour 2031")},
}


@pytest.mark.parametrize("name", list(PLANS))
def test_a_plan_over_years_reads_one_table(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same answer as written out, by prices and rents too, and nobody wrote the table out."""
    horizon = kt.Horizon(years=3, first=2030, growth=0.02)
    plan = kt.Plan(economy(), horizon=horizon, **PLANS[name])
    result = plan.solve(1e-9)
    assert "of 3 years eliminated" in result.info.why
    assert in_blocks(plan.economy.__dict__["input_coefficients"])
    assert result.certified
    if plan.objective.name == "max-scale":
        binding = f"limit {result.bottlenecks().index[0][1]!r}"
        assert binding in result.info.why
    other = kt.Plan(economy(), horizon=horizon, **PLANS[name])
    monkeypatch.setattr("kantor.planning.solving.solve_years", lambda *_: None)
    written = other.solve(1e-9)
    assert not in_blocks(other.economy.__dict__["input_coefficients"])
    assert result.objective == pytest.approx(written.objective, rel=1e-9)
    np.testing.assert_allclose(result.activity, written.activity, rtol=1e-7)
    np.testing.assert_allclose(result.prices, written.prices, rtol=1e-7, atol=1e-12)
    np.testing.assert_allclose(result.rents, written.rents, rtol=1e-7, atol=1e-14)
    found = kt.verify_plan(result.save(tmp_path / "plan"))
    assert found.ok, str(found)


@pytest.mark.parametrize(
    "more",
    [
        {"horizon": kt.Horizon(years=3, first=2030, rise=0.1)},
        {"horizon": kt.Horizon(years=3, first=2030, storage=kt.Storage())},
        {"horizon": kt.Horizon(years=3, first=2030, input_lag=1)},
        {"objective": kt.Harmony()},
        {"objective": kt.MaxScale(each="year")},
        {"limits": {"labour": kt.Limit(at_most="90%", soft=0.01)}},
        {"limits": {"labour": "90%", "CO2": kt.Limit(at_least="130%")}},
    ],
)
def test_what_links_the_years_is_written_out(more: dict[str, Any]) -> None:
    asked: dict[str, Any] = {"horizon": kt.Horizon(years=3, first=2030), "limits": {"labour": "90%"}} | more
    result = kt.Plan(economy(8), **asked).solve(1e-6)
    assert result.status is not Status.NUMERICAL_ERROR
    assert "of 3 years eliminated" not in result.info.why


def test_an_interruption_of_shared_years_is_a_status(monkeypatch: pytest.MonkeyPatch) -> None:
    def stopped(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("kantor.solvers.horizon.least_output", stopped)
    result = kt.Plan(economy(), horizon=kt.Horizon(years=3), limits={"labour": "90%"}).solve()
    assert result.status is Status.INTERRUPTED


def test_the_table_of_all_years_is_read_as_any_other() -> None:
    """Blocks are written out once, are kept by copies, and hold what the years say."""
    eco = economy(5)
    over = kt.over_years(eco, kt.Horizon(years=2, first=2030))
    copied = over.replace(name="copied")
    assert in_blocks(copied.__dict__["input_coefficients"])
    assert f"{2 * eco.A.nnz:,} inputs" in repr(over)
    assert in_blocks(over.__dict__["input_coefficients"])
    np.testing.assert_array_equal(over.A.toarray(), np.kron(np.eye(2), eco.A.toarray()))
    assert over.A is over.A
