"""Ballots: rules on hand-made cases, their properties, the trail from ballot to weight, projects, strategy, privacy."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from kantor.cli import app
from kantor.errors import OptionError, ProblemError
from kantor.feedback.ballots.priorities import RULES, merkle_root, product_weights, receipts, tally, trail
from kantor.feedback.ballots.privacy import PrivacyBudget, private_sums, private_weights
from kantor.feedback.ballots.strategy import strategic_voting

pabutools = pytest.importorskip("pabutools")
opendp = pytest.importorskip("opendp")

VOTES = pd.DataFrame({"housing": [6, 1, 0, 0], "energy": [2, 1, 5, 0], "transport": [0, 2, 5, 0]}, index=list("abcd"))


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("mean", [0.75 + 0.25, 0.25 + 0.25 + 0.5, 0.5 + 0.5]),
        ("median", [0.25, 0.25, 0.5]),
        ("quadratic", [0.75**0.5 + 0.5, 0.5 + 0.5 + 0.5**0.5, 2 * 0.5**0.5]),
        ("borda", [2 + 0.5 + 0, 1 + 0.5 + 1.5, 0 + 2 + 1.5]),
    ],
)
def test_rules_by_hand(rule: str, expected: list[float]) -> None:
    found = tally(VOTES, rule)
    assert found.weights.tolist() == pytest.approx((np.array(expected) / np.sum(expected)).tolist())
    assert (found.counted, found.empty) == (3, 1)
    assert found.audit["ballots"].tolist() == [2, 3, 2]
    assert found.to_dict(eligible=8)["participation"] == 0.5


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from(list(RULES)))
def test_neither_order_nor_size_of_ballots_matters(seed: int, rule: str) -> None:
    rng = np.random.default_rng(seed)
    votes = pd.DataFrame(rng.integers(0, 6, (9, 4)) + np.eye(9, 4, dtype=int), columns=list("abcd"))
    weights = tally(votes, rule).weights
    assert weights.sum() == pytest.approx(1.0)
    shuffled = votes.iloc[rng.permutation(9)][list("dbca")] * 3.0
    assert tally(shuffled, rule).weights[weights.index].to_numpy() == pytest.approx(weights.to_numpy())


@pytest.mark.parametrize("rule", list(RULES))
def test_agreement_is_the_outcome(rule: str) -> None:
    votes = pd.DataFrame([[0, 1, 0]] * 5, columns=list("abc"))
    weights = tally(votes, rule).weights
    assert weights.idxmax() == "b"
    if rule != "borda":
        assert weights["b"] == 1.0


def test_the_trail_of_a_ballot_is_the_difference_it_made() -> None:
    found = trail(VOTES, "a")
    assert found["moved"].sum() == pytest.approx(0.0, abs=1e-12)
    assert found.loc["housing", "moved"] > 0
    assert found["weight"].to_dict() == tally(VOTES).weights.to_dict()
    with pytest.raises(ProblemError, match="no ballot of 'z'"):
        trail(VOTES, "z")


def test_receipts_bind_to_every_ballot() -> None:
    nonces = pd.Series(["w", "x", "y", "z"], VOTES.index)
    root = tally(VOTES, nonces=nonces).root
    assert root == merkle_root(receipts(VOTES.iloc[::-1], nonces))  # in any order
    changed = VOTES.copy()
    changed.loc["b", "energy"] += 1
    assert tally(changed, nonces=nonces).root != root
    assert tally(VOTES).root != root


@pytest.mark.parametrize("bad", [-1.0, float("nan"), float("inf")])
def test_bad_ballots_are_named(bad: float) -> None:
    votes = VOTES.astype(float)
    votes.loc["b", "energy"] = bad
    with pytest.raises(ProblemError, match="'b' gives 'energy'"):
        tally(votes)


def test_unknown_rules_and_no_ballots() -> None:
    with pytest.raises(OptionError, match="did you mean 'borda'"):
        tally(VOTES, "bordo")
    with pytest.raises(ProblemError, match="all are empty"):
        tally(VOTES * 0)
    with pytest.raises(ProblemError, match="no option has a weight"):
        tally(pd.DataFrame(np.eye(3)), "median")


def test_weights_of_goals_become_weights_of_products() -> None:
    weights = pd.Series({"housing": 0.5, "energy": 0.25, "transport": 0.25})
    goals = pd.Series({"rent": "housing", "power": "energy", "bread": ""})
    assert product_weights(weights, goals).to_dict() == {"rent": 1.5, "power": 0.75, "bread": 1.0}
    with pytest.raises(ProblemError, match="'heat' was not voted on"):
        product_weights(weights, pd.Series({"a": "heat"}))


# ---- projects --------------------------------------------------------------------------------------------------------
def test_a_minority_gets_its_share_by_equal_shares_and_nothing_by_greed() -> None:
    from kantor.feedback.ballots.projects import fund

    costs = pd.Series({f"major{k}": 2.0 for k in range(5)} | {"minor": 2.0})
    votes = pd.DataFrame([[True] * 5 + [False]] * 8 + [[False] * 5 + [True]] * 2, columns=list(costs.index))
    greedy, equal = (fund(costs, votes, 10.0, rule) for rule in ("greedy", "equal-shares"))
    assert "minor" not in greedy.projects
    assert "minor" in equal.projects
    assert equal.cost <= 10.0
    assert (greedy.represented, equal.represented) == (0.8, 1.0)
    assert equal.audit.loc["minor", "paid_each"] == 1.0
    assert fund(costs, votes, 10.0, "phragmen").audit["funded"].sum() == 5
    with pytest.raises(ProblemError, match="no column"):
        fund(costs, votes.drop(columns="minor"), 10.0)
    with pytest.raises(OptionError, match="rule"):
        fund(costs, votes, 10.0, "king")


# ---- strategy --------------------------------------------------------------------------------------------------------
def test_means_invite_exaggeration_more_than_medians() -> None:
    rng = np.random.default_rng(0)
    votes = pd.DataFrame(rng.dirichlet(np.ones(4), 101))
    found = strategic_voting(votes, voters=40, tries=20)
    assert set(found.index) == set(RULES)
    assert found.loc["mean", "can_gain"] > 0.9
    assert found.loc["median", "can_gain"] < found.loc["mean", "can_gain"]
    assert (found["mean_gain"] >= 0).all()


def test_nobody_gains_where_all_agree() -> None:
    votes = pd.DataFrame([[1.0, 0.0, 0.0]] * 21)
    assert (strategic_voting(votes, voters=5, tries=10).loc[["mean", "median", "quadratic"], "can_gain"] == 0).all()


# ---- privacy ---------------------------------------------------------------------------------------------------------
def test_the_budget_is_spent_before_anything_is_published() -> None:
    budget = PrivacyBudget(1.0)
    private_weights(pd.concat([VOTES] * 100, ignore_index=True), "mean", 0.75, budget)
    assert budget.left == pytest.approx(0.25)
    with pytest.raises(ProblemError, match=r"only 0.25 of 1 is left"):
        private_weights(VOTES, "mean", 0.5, budget)
    assert len(budget.spent) == 1
    assert str(budget) == "privacy budget: 0.75 of 1 spent (weights by mean 0.75)"
    with pytest.raises(OptionError, match="not a sum"):
        private_weights(VOTES, "median", 0.1, budget)


def test_noise_has_the_stated_size_and_hides_one_person() -> None:
    values = np.full((50, 1), 0.5)
    sums = np.array([private_sums(values, 0.5, 0.5, PrivacyBudget(1.0), "x")[0] for _ in range(3000)])
    assert sums.mean() == pytest.approx(25.0, abs=0.15)
    assert sums.std() == pytest.approx(np.sqrt(2.0), rel=0.12)  # sqrt(2) * bound / epsilon
    without = np.array([private_sums(values[1:], 0.5, 0.5, PrivacyBudget(1.0), "x")[0] for _ in range(3000)])
    edges = np.arange(21.0, 29.0)
    p, q = (np.histogram(x, edges)[0] / len(x) for x in (sums, without))
    # The ratio is at most exp(0.5) = 1.65; 2.2 leaves room for counting 3,000.
    assert (p[p + q > 0.05] < 2.2 * q[p + q > 0.05]).all()


def test_one_person_cannot_count_for_more_than_the_bound() -> None:
    values = np.zeros((10, 2))
    values[0] = [1e6, 0.0]
    sums = private_sums(values, 1.0, 100.0, PrivacyBudget(100.0), "x")
    assert abs(sums[0]) < 2.0


def test_the_commands(tmp_path: Path) -> None:
    VOTES.to_csv(tmp_path / "votes.csv")
    (tmp_path / "goals.csv").write_text("product,goal\nrent,housing\npower,energy\n")
    run = CliRunner().invoke
    given_ = ["ballots", str(tmp_path / "votes.csv"), "--rule", "median", "--eligible", "8", "--json"]
    found = run(app, [*given_, "-o", str(tmp_path / "w.csv"), "--goals", str(tmp_path / "goals.csv")])
    assert found.exit_code == 0, found.output
    assert json.loads(found.stdout)["participation"] == 0.5
    assert pd.read_csv(tmp_path / "w.csv").values.tolist() == [["rent", 0.75], ["power", 0.75]]
    private = run(app, ["ballots", str(tmp_path / "votes.csv"), "--epsilon", "50"])
    assert "privacy budget: 50 of 50 spent" in private.stdout
    (tmp_path / "costs.csv").write_text("project,cost\ntram,6\nclinic,4\n")
    pd.DataFrame({"tram": [1, 1, 0], "clinic": [0, 0, 1]}).to_csv(tmp_path / "a.csv")
    chosen = run(
        app, ["fund", str(tmp_path / "a.csv"), "--costs", str(tmp_path / "costs.csv"), "--budget", "10", "--json"]
    )
    assert sorted(json.loads(chosen.stdout)["projects"]) == ["clinic", "tram"]
    assert run(app, ["ballots", str(tmp_path / "none.csv")]).exit_code == 2
