"""The monitor: planted changes found, false alarms counted, bad reports set aside, alerts that rise, bounded memory."""

from __future__ import annotations

import json
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.stats import multivariate_normal
from typer.testing import CliRunner

import kantor as kt
from kantor.cli import app
from kantor.errors import OptionError, ProblemError
from kantor.feedback.monitor.alerts import Alerts, Level
from kantor.feedback.monitor.filter import OUTLIER, STEP, FilterOptions, FilterState, advance
from kantor.feedback.monitor.quarantine import REASONS

LEARNT = 60


def reports(values: Any, **columns: Any) -> pd.DataFrame:
    return pd.DataFrame({"series": [f"s{i}" for i in range(len(values))], "value": values, **columns})


def learnt(n: int, seed: int = 0, **options: Any) -> tuple[kt.Monitor, np.random.Generator]:
    """A monitor of n steady series at 80 of a capability of 100, with a noise of 2, after a while."""
    monitor = kt.Monitor([f"s{i}" for i in range(n)], np.full(n, 100.0), **options)
    rng = np.random.default_rng(seed)
    for period in range(LEARNT):
        monitor.step(period, reports(80.0 + 2.0 * rng.standard_normal(n)))
    return monitor, rng


# ---- the filter ------------------------------------------------------------------------------------------------------
def test_sixteen_pairs_against_a_direct_computation() -> None:
    """Two periods by enumeration: densities of the reports under every history, from the joint normal distribution."""
    options = FilterOptions(memory=1e12, noise=0.1)  # the noise stays what it was
    state = FilterState.new(1, options)
    state.noise *= 1e12
    y = np.array([1.3, 1.32])
    for value in y:
        happened, _ = advance(state, np.array([value]), options)
    table, variance = options.table(), options.noise**2
    start = np.array([[0.25, 0.0], [0.0, (0.1 * options.noise) ** 2]])
    G = np.array([[1.0, 1.0], [0.0, 1.0]])
    weights = np.zeros((4, 4))
    for k in range(4):
        for j in range(4):
            W = [variance * np.array([[t[2] + t[3], t[3]], [t[3], t[3]]]) for t in (table[k], table[j])]
            first = G @ start @ G.T + W[0]
            second = G @ first @ G.T + W[1]
            across = (G @ first)[0, 0]
            C = np.array(
                [[first[0, 0] + variance * table[k, 1], across], [across, second[0, 0] + variance * table[j, 1]]]
            )
            density = multivariate_normal([1.0, 1.0], C).pdf(y)
            weights[k, j] = density * np.exp(table[k, 0] + table[j, 0])
    weights /= weights.sum()
    assert happened[0] == pytest.approx(weights.sum(axis=1), rel=1e-9)
    assert state.weight[0] == pytest.approx(weights.sum(axis=0), rel=1e-9)


def test_a_series_without_reports_keeps_its_level_and_grows_less_certain() -> None:
    monitor, _ = learnt(1)
    level, before = monitor.state.level()[0], monitor.state.forecast()[1][0]
    slope = monitor.state.slope()[0]
    for period in range(LEARNT, LEARNT + 10):
        monitor.step(period, reports([]))
    assert monitor.state.level()[0] == pytest.approx(level + 10 * slope, rel=1e-6)
    assert monitor.state.forecast()[1][0] > before


def test_the_noise_is_learnt_and_one_wild_report_does_not_change_it() -> None:
    monitor, rng = learnt(200)
    noise = monitor.indices()["noise"]
    assert noise.median() == pytest.approx(2.0, rel=0.25)
    monitor.step(LEARNT, reports(np.full(200, 150.0)))
    monitor.step(LEARNT + 1, reports(80.0 + 2.0 * rng.standard_normal(200)))
    assert monitor.indices()["noise"].median() == pytest.approx(noise.median(), rel=0.1)


def test_false_alarms_are_as_rare_as_stated() -> None:
    """docs/feedback.md: about one in 10,000 reports of steady series, at most two here."""
    monitor, rng = learnt(5_000, seed=3)
    opened = 0
    for period in range(LEARNT, LEARNT + 20):
        alerts = monitor.step(period, reports(80.0 + 2.0 * rng.standard_normal(5_000))).alerts
        opened += int((alerts["event"] == "opened").sum())
    assert 1 <= opened <= 2e-4 * 5_000 * 20


@pytest.mark.parametrize(
    ("what", "size", "within", "kinds", "power"),
    [
        ("step", 8.0, 3, {"step", "change"}, 0.85),
        ("outlier", 8.0, 3, {"outlier"}, 0.9),
        ("slope", 1.0, 9, {"slope", "change", "step"}, 0.9),
    ],
)
def test_planted_changes_are_found(what: str, size: float, within: int, kinds: set[str], power: float) -> None:
    monitor, rng = learnt(1_000, seed=4)
    found = np.zeros(1_000, bool)
    for k in range(within):
        planted = {"step": -size, "outlier": size * (k == 0), "slope": -size * (k + 1)}[what]
        monitor.step(LEARNT + k, reports(80.0 + 2.0 * planted + 2.0 * rng.standard_normal(1_000)))
        alerts = monitor.alerts.open()
        at = alerts["series"][alerts["kind"].isin(kinds)].str[1:].astype(int)
        found[at] = True
    assert found.mean() > power


def test_a_step_is_told_from_an_outlier_by_the_next_report() -> None:
    options = FilterOptions(noise=0.02)
    states = [FilterState.new(1, options) for _ in range(2)]
    rng = np.random.default_rng(5)
    for _ in range(LEARNT):
        for state in states:
            advance(state, np.array([0.8 + 0.02 * rng.standard_normal()]), options)
    for state in states:
        advance(state, np.array([0.6]), options)
    back, _ = advance(states[0], np.array([0.8]), options)
    stays, _ = advance(states[1], np.array([0.6]), options)
    assert back[0, OUTLIER] > 0.99
    assert stays[0, STEP] > 0.9


# ---- what is set aside -----------------------------------------------------------------------------------------------
def test_every_bad_report_is_set_aside_with_its_reason_and_none_is_used() -> None:
    monitor, _ = learnt(12, unit="t")
    rows: list[tuple[str, Any, Any, str]] = [
        ("s0", LEARNT, -5.0, "negative"),
        ("s1", LEARNT, "lots", "unreadable"),
        ("s2", LEARNT, float("nan"), "unreadable"),
        ("s3", LEARNT - 1, 80.0, "late"),
        ("s4", LEARNT + 1, 80.0, "early"),
        ("s5", LEARNT, 80_000.0, "scale"),
        ("s6", LEARNT, 0.0, "zero"),
        ("s7", LEARNT, 81.0, "conflict"),
        ("s7", LEARNT, 79.0, "conflict"),
        ("s8", LEARNT, 80.0, ""),
        ("s8", LEARNT, 80.0, "duplicate"),
        ("s9", LEARNT, 80.0, "unit"),
        ("nobody", LEARNT, 80.0, "unknown"),
        ("s10", LEARNT, float("inf"), "unreadable"),
    ]
    table = pd.DataFrame(rows, columns=["series", "period", "value", "why"])
    table["unit"] = ["kg" if why == "unit" else "t" for why in table["why"]]
    before = monitor.state.level().copy()
    step = monitor.step(LEARNT, table.drop(columns="why"))
    aside = step.quarantined
    given = aside[aside["reason"] != "missing"]
    assert sorted(given["reason"]) == sorted(why for why in table["why"] if why)
    expected = {(s, why) for s, _, _, why in rows if why}
    assert set(zip(given["series"], given["reason"], strict=True)) == expected
    assert set(aside["series"][aside["reason"] == "missing"]) == {f"s{i}" for i in range(12)} - {"s8"}
    assert step.used == 1
    assert set(aside["reason"]) | {""} <= set(REASONS) | {""}
    # What was not used left no trace but a forecast one period on.
    untouched = [i for i in range(12) if i != 8]
    slope = monitor.state.slope()
    assert monitor.state.level()[untouched] == pytest.approx((before + slope)[untouched], rel=1e-9)
    assert sum(monitor.counts.values()) == len(aside)


def test_zeros_that_are_true_count_after_someone_says_so() -> None:
    monitor, _ = learnt(2)
    zeros = reports([0.0, 0.0])
    for period in range(LEARNT, LEARNT + 3):
        assert (monitor.step(period, zeros).quarantined["reason"] == "zero").sum() == 2
    assert set(monitor.alerts.open()["kind"]) == {"silent"}
    monitor.confirm("s0")
    for period in range(LEARNT + 3, LEARNT + 9):
        monitor.step(period, zeros)
    level = monitor.indices()["actual"]
    assert level["s0"] == pytest.approx(0.0, abs=2.0)
    assert level["s1"] == pytest.approx(80.0, abs=8.0)
    with pytest.raises(ProblemError, match="nobody"):
        monitor.confirm("nobody")


def test_a_report_in_doubt_is_not_suspected_before_the_series_is_known() -> None:
    monitor = kt.Monitor(["s0"], [100.0])
    assert monitor.step(1, reports([0.0])).used == 1


def test_signed_series_may_be_negative() -> None:
    monitor = kt.Monitor(["s0"], [100.0], signed=["s0"])
    assert monitor.step(1, reports([-3.0])).used == 1


# ---- alerts ----------------------------------------------------------------------------------------------------------
def test_alerts_rise_until_someone_deals_with_them() -> None:
    alerts = Alerts(pd.Index(["a", "b"]), [Level("plant", 2), Level("branch", 3), Level("board", 1)])
    none = np.array([-1, -1], np.int8)
    opened = alerts.update(1, np.array([1, -1], np.int8), np.array([0.95, 0.0]))
    assert opened[["series", "kind", "level", "due", "event"]].values.tolist() == [["a", "step", "plant", 3, "opened"]]
    assert len(alerts.update(2, none, np.zeros(2))) == 0
    assert alerts.update(3, none, np.zeros(2))["level"].tolist() == ["branch"]
    assert [len(alerts.update(t, none, np.zeros(2))) for t in (4, 5)] == [0, 0]
    assert alerts.update(6, none, np.zeros(2))["level"].tolist() == ["board"]
    assert all(len(alerts.update(t, none, np.zeros(2))) == 0 for t in (7, 8, 9))  # nobody is above the board
    assert alerts.open("board")["series"].tolist() == ["a"]
    alerts.deal_with("a")
    assert len(alerts.open()) == 0
    with pytest.raises(ProblemError, match="no open alert"):
        alerts.deal_with("a")
    with pytest.raises(OptionError, match="none of plant"):
        alerts.open("king")


def test_an_outlier_that_proves_a_step_changes_its_kind() -> None:
    alerts = Alerts(pd.Index(["a"]))
    alerts.update(1, np.array([0], np.int8), np.array([0.99]))
    assert alerts.update(2, np.array([1], np.int8), np.array([0.97]))["event"].tolist() == ["changed"]
    assert alerts.open()["since"].tolist() == [1]


# ---- indices, memory, files ------------------------------------------------------------------------------------------
def test_indices_are_beers_ratios() -> None:
    monitor = kt.Monitor(["s0"], [100.0], [125.0])
    for period in range(200):
        monitor.step(period, reports([60.0]))
    row = monitor.indices().loc["s0"]
    assert row["actual"] == pytest.approx(60.0, rel=1e-2)
    assert row["productivity"] * row["latency"] == pytest.approx(row["performance"])
    assert row["latency"] == pytest.approx(0.8)


def test_memory_does_not_grow_with_history() -> None:
    monitor, rng = learnt(500)

    def peak(periods: range) -> int:
        tracemalloc.start()
        for period in periods:
            monitor.step(period, reports(80.0 + 2.0 * rng.standard_normal(500)))
        size = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return size

    peak(range(LEARNT, LEARNT + 5))
    assert peak(range(200, 400)) < 1.5 * peak(range(400, 410)) + 100_000


def test_a_saved_monitor_goes_on_as_if_nothing_had_happened(tmp_path: Path) -> None:
    one, rng = learnt(50, seed=8)
    one.step(LEARNT, reports([0.0] * 50))
    one.confirm("s3")
    one.save(tmp_path / "state")
    other = kt.Monitor.load(tmp_path / "state")
    for period in range(LEARNT + 1, LEARNT + 6):
        values = reports(60.0 + 2.0 * rng.standard_normal(50))
        a, b = one.step(period, values), other.step(period, values)
        pd.testing.assert_frame_equal(a.alerts, b.alerts)
        pd.testing.assert_frame_equal(a.quarantined, b.quarantined)
    pd.testing.assert_frame_equal(one.indices(), other.indices())
    (tmp_path / "state" / "state.npz").write_bytes(b"x")
    with pytest.raises(ProblemError, match="no state of a monitor"):
        kt.Monitor.load(tmp_path / "state")


@pytest.mark.parametrize("form", ["csv", "parquet", "folder"])
def test_streams_give_periods_in_order_whatever_the_pieces(tmp_path: Path, form: str) -> None:
    table = pd.DataFrame(
        {
            "series": ["a", "b", "a", "a", "b", "c"],
            "period": [1, 1, 2, 1, 2, 3],
            "value": [1.0, 2.0, 3.0, 4.0, 5.0, 6.0],
        }
    )
    path = tmp_path / ("parts" if form == "folder" else f"r.{form}")
    if form == "csv":
        table.to_csv(path, index=False)
    elif form == "parquet":
        table.to_parquet(path)
    else:
        path.mkdir()
        table.iloc[:3].to_parquet(path / "0.parquet")
        table.iloc[3:].to_parquet(path / "1.parquet")
    for rows in (1, 2, 4, 100):
        batches = list(kt.read_reports(path, rows=rows))
        assert [period for period, _ in batches] == [1, 2, 3]
        # The report for period 1 that came during period 2 is in that batch, where it is late.
        assert batches[1][1]["value"].astype(float).tolist() == [3.0, 4.0, 5.0]
    assert [period for period, _ in kt.read_reports(path, after=5)] == [3]


def test_the_command_goes_on_where_it_stopped(tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    (tmp_path / "series.csv").write_text("series,capability,unit\nmill,100,t\nmine,50,t\n")
    lines = ["series,period,value,unit"]
    for period in range(1, 41):
        lines += [
            f"mill,{period},{80 + rng.standard_normal():.3f},t",
            f"mine,{period},{40 + rng.standard_normal():.3f},t",
        ]
    stream = tmp_path / "r.csv"
    stream.write_text("\n".join(lines) + "\n")
    run = CliRunner().invoke
    new = ["monitor", str(tmp_path / "state"), str(stream), "--series", str(tmp_path / "series.csv")]
    first = run(app, [*new, "--ledger", str(tmp_path / "ledger.csv"), "--json"])
    assert first.exit_code == 0, first.output
    assert json.loads(first.stdout)["used"] == 80
    with stream.open("a") as more:
        for period in range(41, 46):
            more.write(f"mill,{period},55,t\nmine,{period},-1,t\n")
    second = run(app, ["monitor", str(tmp_path / "state"), str(stream), "--json"])
    facts = json.loads(second.stdout)
    assert (facts["periods"], facts["used"]) == (5, 5)
    assert facts["quarantined"] == {"negative": 5, "missing": 5}
    assert {alert["series"]: alert["kind"] for alert in facts["alerts"]} == {"mill": "step", "mine": "silent"}
    assert len(pd.read_csv(tmp_path / "ledger.csv")) == 10
    done = run(app, ["monitor", str(tmp_path / "state"), "--deal-with", "mill", "--json"])
    assert json.loads(done.stdout)["open"] == 1
    assert run(app, ["monitor", str(tmp_path / "other"), str(stream)]).exit_code == 2


def test_what_a_monitor_refuses() -> None:
    with pytest.raises(ProblemError, match="capability"):
        kt.Monitor(["a"], [0.0])
    with pytest.raises(ProblemError, match="below its capability"):
        kt.Monitor(["a"], [2.0], [1.0])
    monitor = kt.Monitor(["s0"], [1.0])
    monitor.step(3, reports([1.0]))
    with pytest.raises(ProblemError, match="does not come after"):
        monitor.step(3, reports([1.0]))
    with pytest.raises(ProblemError, match="'value' is missing"):
        monitor.step(4, pd.DataFrame({"series": ["s0"]}))
    with pytest.raises(OptionError, match="probability"):
        kt.MonitorOptions(step=1.0)
