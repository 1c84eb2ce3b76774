"""check_productive: bounds enclose the spectral radius, the vector proves them, the right sectors are named."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from kantor import Economy
from kantor.backends import Backend
from kantor.errors import OptionError, ProblemError
from kantor.solvers.fault import NotProductive
from kantor.solvers.productive import check_productive


def radius(A: Any) -> float:
    return float(np.abs(np.linalg.eigvals(np.asarray(A))).max())


def random_table(seed: int, n: int, rho: float, density: float = 0.3, fill: float = 0.01) -> np.ndarray:
    rng = np.random.default_rng([4001, seed])
    A = rng.lognormal(0.0, 1.5, (n, n)) * (rng.random((n, n)) < density)
    A += fill  # so that powers of A converge quickly to the radius
    w = np.ones(n)
    for _ in range(200):
        w = A @ (w / w.sum())
    return A * (rho / w.sum())


def proves(A: np.ndarray, w: np.ndarray, upper: float) -> bool:
    """|A| w <= upper w and w > 0 in exact arithmetic."""
    exact = [Fraction(float(v)) for v in w]
    rows = range(len(exact))
    sums = [sum(abs(Fraction(float(A[i, j]))) * exact[j] for j in rows) for i in rows]
    return all(exact[i] > 0 and sums[i] <= Fraction(upper) * exact[i] for i in rows)


@pytest.mark.parametrize("rho", [0.05, 0.5, 0.95, 0.9999])
@pytest.mark.parametrize("n", [2, 30, 300])
def test_bounds_enclose_the_radius(backend: Backend, n: int, rho: float) -> None:
    A = random_table(n, n, rho, 0.5)
    bounds = check_productive(A, backend=backend)
    assert bounds.lower <= rho * (1 + 1e-12)
    assert rho * (1 - 1e-12) <= bounds.upper < 1.0
    assert bounds.upper - bounds.lower <= 1e-6
    if n <= 30:
        assert proves(A, bounds.vector, bounds.upper)


def test_published_radius(case: Any) -> None:
    eu = case("labour_values_eu_2006")
    A = np.array(eu["inputs"]["flows"], float) / np.array(eu["inputs"]["output"], float)
    bounds = check_productive(A, labels=eu["inputs"]["goods"], tolerance=1e-12)
    expected = eu["expected"]["spectral_radius"]
    assert bounds.lower - 1e-13 <= expected <= bounds.upper + 1e-13
    assert bounds.upper - bounds.lower < 1e-11


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 7), st.floats(0.1, 0.999), st.floats(0.1, 1.0), st.floats(0.0, 4.0))
def test_vector_is_an_exact_proof(seed: int, n: int, rho: float, density: float, spread: float) -> None:
    """Also for reducible, periodic and nilpotent tables in units that differ by many powers of ten."""
    rng = np.random.default_rng([4003, seed])
    A = rng.lognormal(0.0, 1.0, (n, n)) * (rng.random((n, n)) < density)
    A *= rho / max(radius(A), 1e-3)
    unit = rng.lognormal(0.0, spread, n)
    A = A * unit[:, None] / unit[None, :]
    bounds = check_productive(A)
    assert proves(A, bounds.vector, bounds.upper)
    assert bounds.lower <= radius(A) * (1 + 1e-6) + 1e-12


@pytest.mark.parametrize("kind", ["nilpotent", "cycle", "two groups", "no entries"])
def test_reducible_and_periodic(backend: Backend, kind: str) -> None:
    rng = np.random.default_rng(4007)
    n = 400
    if kind == "nilpotent":
        A, rho = np.triu(rng.random((n, n)), 1) * (rng.random((n, n)) < 0.02), 0.0
    elif kind == "cycle":
        loop = rng.uniform(0.5, 0.99, n)
        A, rho = np.zeros((n, n)), float(np.exp(np.log(loop).mean()))
        A[np.arange(n), (np.arange(n) + 1) % n] = loop
    elif kind == "two groups":
        A, rho = np.zeros((n, n)), 0.9
        A[:150, :150], A[150:, 150:] = random_table(1, 150, 0.9), random_table(2, 250, 0.4)
        A[:150, 150:] = rng.random((150, 250)) * 0.1
    else:
        A, rho = np.zeros((n, n)), 0.0
    bounds = check_productive(sp.csr_array(A), backend=backend)
    assert bounds.lower <= rho * (1 + 1e-9)
    assert rho * (1 - 1e-9) <= bounds.upper < 1.0
    assert np.all(bounds.vector > 0.0)
    assert np.all(A @ bounds.vector <= bounds.upper * bounds.vector * (1 + 1e-12) + 1e-300)


# ---- at fault --------------------------------------------------------------------------------------------------------
def test_names_the_strongly_connected_group() -> None:
    """37 sound sectors supply three that need nothing but each other, and more of that than they make."""
    names = [f"s{i}" for i in range(40)]
    A = np.zeros((40, 40))
    A[:37, :37] = random_table(3, 37, 0.6)
    A[:37, 37:] = 0.05
    A[37, 38], A[38, 39], A[39, 37] = 1.2, 0.9, 1.1
    with pytest.raises(ProblemError) as caught:
        check_productive(pd.DataFrame(A, index=names, columns=names))
    said = str(caught.value)
    assert "not productive" in said
    assert "the 3 sectors 's37', 's38', 's39'" in said
    assert f"{(1.2 * 0.9 * 1.1) ** (1 / 3):.4g}"[:5] in said
    assert "'s0'" not in said


def test_names_the_smallest_part_and_the_heavy_columns() -> None:
    A = random_table(4, 30, 0.6, 1.0)
    A[11, 3], A[3, 11] = 1.3, 0.8
    with pytest.raises(ProblemError) as caught:
        check_productive(A, labels=[f"s{i}" for i in range(30)])
    said = str(caught.value)
    part = float(np.sqrt(1.3 * 0.8))
    assert "already 's3', 's11' alone: " in said
    told = float(said.split("alone: ")[1].split(" times")[0])
    assert part - 1e-9 <= told <= radius(A[np.ix_([3, 11], [3, 11])]) + 1e-5
    sums = A.sum(axis=0)
    assert f"'s3' {sums[3]:.6g}" in said.split("column sums above 1")[1]


def test_says_what_would_have_to_change() -> None:
    """Scaling the inputs of the group from itself by less than 1 - reduction makes the economy productive."""
    names = [f"s{i}" for i in range(40)]
    A = np.zeros((40, 40))
    A[:37, :37] = random_table(3, 37, 0.6)
    A[:37, 37:] = 0.05
    A[37, 38], A[38, 39], A[39, 37], A[37, 39] = 1.2, 0.9, 1.1, 0.01
    with pytest.raises(NotProductive, match="would have to fall by more than") as caught:
        check_productive(pd.DataFrame(A, index=names, columns=names))
    fault = caught.value
    assert fault.sectors == ("s37", "s38", "s39")
    rho = radius(A[37:, 37:])
    assert fault.lower <= rho * (1 + 1e-12)
    assert rho <= fault.upper * (1 + 1e-12)
    assert fault.reduction == pytest.approx(1.0 - 1.0 / rho, abs=1e-5)
    mended = A.copy()
    mended[37:, 37:] *= (1.0 - fault.reduction) * (1.0 - 1e-5)
    assert check_productive(mended).upper < 1.0
    # an elasticity is what a small change of one input does to the radius
    for user_input, user, share in fault.levers:
        i, j = names.index(user_input), names.index(user)
        less = A.copy()
        less[i, j] *= 1.0 - 1e-4
        assert (1.0 - radius(less[37:, 37:]) / rho) / 1e-4 == pytest.approx(share, rel=1e-2)
    assert sum(share for _, _, share in fault.levers) <= 1.0 + 1e-12


def test_of_an_economy() -> None:
    names = ["corn", "iron"]
    good = Economy.from_iot(A=np.array([[0.5, 0.1], [0.2, 0.4]]), Y=[30.0, 10.0], labels=names)
    assert radius(good.A.toarray()) == pytest.approx(good.check_productive().upper, rel=1e-5)
    bad = good.replace(input_coefficients=sp.csr_array([[0.5, 0.9], [0.9, 0.6]]))
    with pytest.raises(NotProductive, match="'corn', 'iron'") as caught:
        bad.check_productive()
    assert caught.value.sectors == ("corn", "iron")
    joint = Economy.from_arrays(input=np.zeros((2, 2)), output=np.array([[1.0, 0.3], [0.0, 1.0]]))
    with pytest.raises(ProblemError, match="without a technique"):
        joint.check_productive()


def test_names_one_sector() -> None:
    with pytest.raises(ProblemError, match=r"'iron' uses 1\.1 times the amount it makes of itself"):
        check_productive(np.array([[0.5, 0.0], [0.2, 1.1]]), labels=["corn", "iron"])
    with pytest.raises(ProblemError, match=r"sector 0 uses 1\.2 times"):
        check_productive(np.array([[1.2]]))


def test_labels_of_several_levels() -> None:
    index = pd.MultiIndex.from_tuples([("SE", "steel"), ("NO", "steel")])
    with pytest.raises(ProblemError, match=r"'NO / steel' uses 1\.5 times"):
        check_productive(pd.DataFrame(np.diag([0.5, 1.5]), index=index, columns=index))


def test_closed_economy_is_not_productive() -> None:
    """Column sums of exactly 1: everything made is used up; the radius is 1 and no w proves less."""
    with pytest.raises(ProblemError, match="could not be shown to make more than they use"):
        check_productive(np.array([[0.5, 0.25], [0.5, 0.75]]))


def test_large_group_at_fault(backend: Backend) -> None:
    A = sp.csr_array(random_table(5, 600, 1.02, 0.02, fill=0.0))
    with pytest.raises(ProblemError, match=r"at least 1\.0\d* times"):
        check_productive(A, backend=backend)


# ---- information -----------------------------------------------------------------------------------------------------
def test_heavy_columns_are_information_only() -> None:
    """Physical units: a column sum above 1 says nothing by itself."""
    names = ["power", "gold"]
    bounds = check_productive(pd.DataFrame([[0.1, 900.0], [1e-5, 0.1]], index=names, columns=names))
    assert bounds.heavy == ("gold",)
    assert any("'gold'" in note for note in bounds.notes)
    assert bounds.upper < 0.25


def test_negative_entries_are_reported() -> None:
    names = ["a", "b"]
    bounds = check_productive(pd.DataFrame([[0.5, -0.2], [0.1, 0.3]], index=names, columns=names))
    assert bounds.negatives == 1
    assert "-0.2 in row 'a', column 'b'" in bounds.notes[0]
    assert radius([[0.5, 0.2], [0.1, 0.3]]) <= bounds.upper * (1 + 1e-12)


def test_negative_entries_leave_it_open_or_prove_it() -> None:
    """Magnitudes of radius 1.2 prove nothing where supplies offset uses; 1.5 times its own output does."""
    open_case = check_productive(np.array([[0.5, -0.7], [-0.7, 0.5]]))
    assert open_case.upper >= 1.0
    assert any("not proved productive" in note for note in open_case.notes)
    with pytest.raises(ProblemError, match="not productive"):
        check_productive(np.array([[1.5, -0.1], [0.1, 1.2]]))


def test_input_is_checked() -> None:
    with pytest.raises(ProblemError, match="square"):
        check_productive(np.zeros((2, 3)))
    with pytest.raises(ProblemError, match="empty"):
        check_productive(np.zeros((0, 0)))
    with pytest.raises(ProblemError, match="labels: 1 given, expected 2"):
        check_productive(np.zeros((2, 2)), labels=["a"])
    for tolerance in (0.0, 1.5, np.nan):
        with pytest.raises(OptionError, match="tolerance"):
            check_productive(np.zeros((2, 2)), tolerance=tolerance)


def test_proof_alone_is_cheap_and_does_not_stop_at_one(backend: Backend) -> None:
    """tolerance 1 asks only on which side of 1 the radius is, also very near to it."""
    A = random_table(6, 300, 0.999999, 0.5)
    bounds = check_productive(A, tolerance=1.0, backend=backend)
    assert 0.999999 * (1 - 1e-12) <= bounds.upper < 1.0
    with pytest.raises(ProblemError, match="not productive"):
        check_productive(A * (1.000001 / 0.999999), tolerance=1.0, backend=backend)
