"""The HTML report: self-contained, well-formed, escaped, and it says what the plan says."""

from __future__ import annotations

import base64
import hashlib
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import kantor as kt
from kantor.errors import ProblemError
from kantor.planning.result import PlanResult
from kantor.report import numbers, svg
from kantor.report.html import write_report


class Page(HTMLParser):
    """Collects tags and text, and fails on a tag that closes what is not open."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words = ""
        self.feed(text)
        self.close()
        assert self.open == [], f"left open: {self.open}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in ("meta", "br", "input"):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if not self.open or self.open[-1] not in ("style", "script"):
            self.words += data


def read(path: Path) -> Page:
    return Page(path.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def harmony() -> PlanResult:
    economy = kt.load_economy("us_2012")
    limits = {"labour": "102%", "ghg": "-5%", "water": "100%"}
    return kt.Plan(economy, objective=kt.Harmony(), limits=limits, name="Test of the report").solve()


def test_report_stands_alone(harmony: PlanResult, tmp_path: Path) -> None:
    page = read(write_report(harmony, tmp_path / "report.html"))
    names = {tag for tag, _ in page.tags}
    assert names.isdisjoint({"link", "img", "iframe", "object", "embed", "base", "form"})
    for _, attributes in page.tags:
        assert not {"src", "srcset", "onclick", "onload", "style"} & set(attributes)
        assert (attributes.get("href") or "#").startswith("#")
    text = (tmp_path / "report.html").read_text()
    scripts = re.findall(r"<script>(.*?)</script>", text, flags=re.DOTALL)
    assert len(scripts) == 1
    digest = base64.b64encode(hashlib.sha256(scripts[0].encode()).digest()).decode()
    assert f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{digest}'" in text
    assert "url(" not in text
    assert "@import" not in text
    assert "prefers-color-scheme:dark" in text
    assert "DARK" not in text
    assert "width=device-width" in text
    assert ("html", {"lang": "en"}) in page.tags


def test_report_says_what_the_plan_says(harmony: PlanResult, tmp_path: Path) -> None:
    words = read(write_report(harmony, tmp_path / "report.html")).words
    assert "Test of the report" in words
    assert "optimal" in words
    for number in (harmony.objective, harmony.lower_bound, harmony.upper_bound):
        assert numbers.exact(number) in words
    for kind, name in harmony.bottlenecks().index:
        assert f"{name}, {kind}" in words
    ratio = harmony.consumption[harmony.targets > 0] / harmony.targets[harmony.targets > 0]
    assert numbers.percent(float(ratio.min())) in words
    assert numbers.percent(float(ratio.max())) in words
    dearest = harmony.normalised_prices()
    assert numbers.quantity(float(dearest.max())) in words
    for title in ("Limits", "Bottlenecks", "Consumption against target", "Prices", "Activity against the base year"):
        assert title in words
    for economy in [harmony.plan.economy] if harmony.plan else []:
        for source in economy.sources:
            assert source.sha256 in words


def rows_of(path: Path, caption: str) -> list[list[str]]:
    """The rows of the table whose caption starts so, as text."""
    pattern = r"<caption><span>(.*?)</span></caption>.*?<tbody>(.*?)</tbody>"
    tables = re.findall(pattern, path.read_text(), flags=re.DOTALL)
    body = next(inner for title, inner in tables if title.startswith(caption))
    rows = re.findall(r"<tr>(.*?)</tr>", body)
    return [[re.sub(r"<[^>]*>", "", cell) for cell in re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row)] for row in rows]


def test_lists_are_in_order_and_complete(harmony: PlanResult, tmp_path: Path) -> None:
    path = write_report(harmony, tmp_path / "report.html")
    ratio = (harmony.consumption / harmony.targets)[harmony.targets > 0].sort_values(kind="stable")
    names = harmony.names if harmony.names is not None else pd.Series(ratio.index, ratio.index)
    least, best = rows_of(path, "Least served"), rows_of(path, "Best served")
    assert least[0][0].startswith(str(names[ratio.index[0]]))
    assert least[0][2] == numbers.percent(float(ratio.iloc[0]))
    assert best[0][0].startswith(str(names[ratio.index[-1]]))
    limits = {row[0].split()[0]: row for row in rows_of(path, "The base is")}
    assert set(limits) == {"labour", "ghg", "water"}
    for limit in harmony.limits:
        use, row = float(harmony.use["use"].to_dict()[limit.name]), limits[limit.name]
        assert row[1] == numbers.amount(use, limit.unit)
        assert row[2].endswith(numbers.amount(limit.upper, limit.unit))
        assert row[4] == numbers.percent(use / limit.upper)
        assert row[5] == numbers.change(use / limit.base)
    assert not any("water" in name for name in harmony.bottlenecks().index)
    assert "binds" in limits["ghg"][0]
    assert "binds" not in limits["water"][0]
    change = (harmony.activity - harmony.base).sort_values(kind="stable")
    assert rows_of(path, "Grow most")[0][0].startswith(str(names[change.index[-1]]))
    assert rows_of(path, "Shrink most")[0][0].startswith(str(names[change.index[0]]))


def test_pictures_have_words(harmony: PlanResult, tmp_path: Path) -> None:
    """A picture is either hidden from a screen reader, with its number in the next cell, or has a title."""
    text = write_report(harmony, tmp_path / "report.html").read_text()
    pictures = re.findall(r"<svg[^>]*>.{0,60}", text)
    assert len(pictures) > 10
    for picture in pictures:
        assert "aria-hidden='true'" in picture or ("role='img'" in picture and "<title>" in picture)
    assert "<caption>" in text
    assert "scope='row'" in text


def test_report_of_result_and_of_its_folder_agree(harmony: PlanResult, tmp_path: Path) -> None:
    folder = harmony.save(tmp_path / "plan")
    from_folder = read(write_report(folder, tmp_path / "a.html")).words
    from_result = read(write_report(harmony, tmp_path / "b.html")).words
    section = "What is certified"
    end = "Provenance"
    pick = lambda words: words[words.index(section) : words.index(end)]  # noqa: E731
    assert pick(from_folder) == pick(from_result)


def test_labels_are_escaped(tmp_path: Path) -> None:
    labels = ["<script>alert(1)</script>", 'a "quoted" & <b>bold</b> one', "plain"]
    economy = kt.Economy.from_iot(
        A=np.array([[0.2, 0.1, 0.1], [0.1, 0.3, 0.1], [0.2, 0.1, 0.1]]),
        Y=[10.0, 20.0, 5.0],
        labels=labels,
        S=pd.DataFrame(
            [[1.0, 2.0, 4.0], [3.0, 1.0, 1.0], [1.0, 1.0, 1.0]], ["<i>hours</i>", "ore", "<u>air</u>"], labels
        ),
    )
    limits = {"<i>hours</i>": "90%", "ore": "95%"}
    result = kt.Plan(economy, objective=kt.Harmony(), limits=limits, name="</title><script>").solve()
    page = read(write_report(result, tmp_path / "report.html"))
    assert [tag for tag, _ in page.tags].count("script") == 2  # the data, the page's own
    assert {tag for tag, _ in page.tags}.isdisjoint({"u", "i"})
    assert "<u>air</u>" in page.words
    assert labels[0] in page.words
    assert labels[1] in page.words
    assert "<i>hours</i>" in page.words


def test_equal_shares_become_one_sentence(tmp_path: Path) -> None:
    result = kt.Plan(kt.load_economy("eu_2006"), limits={"labour": "90%"}).solve()
    words = read(write_report(result, tmp_path / "report.html")).words
    assert "met to the same share: 90.0000 %" in words
    assert "changes by the same share against the base plan: -10.00 %" in words


def test_infeasible_plan_has_a_report(tmp_path: Path) -> None:
    economy = kt.load_economy("eu_2006")
    result = kt.Plan(economy, objective=kt.MinimiseUse("labour"), limits={"labour": "50%"}).solve()
    words = read(write_report(result, tmp_path / "report.html")).words
    assert "primal infeasible" in words
    assert "No plan keeps every balance and limit" in words
    assert "200.00 %" in words  # of the allowed labour is the least that the targets need
    assert "Consumption against target" not in words
    assert re.search(r"\bnan\b", words) is None


def test_unfinished_plan_has_a_report(tmp_path: Path) -> None:
    plan = kt.Plan(kt.load_economy("eu_2006"), objective=kt.Harmony(), limits={"labour": "90%"})
    result = plan.solve(method="pdhg", iteration_limit=0, tolerance=1e-12)
    words = read(write_report(result, tmp_path / "report.html")).words
    assert "iteration limit" in words
    assert re.search(r"\bnan\b", words) is None


def test_unwritable_target_names_it_and_leaves_nothing(harmony: PlanResult, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ProblemError, match=r"file.report\.html"):
        write_report(harmony, tmp_path / "file" / "report.html")
    with pytest.raises(ProblemError, match=r"plan\.json"):
        write_report(tmp_path, tmp_path / "report.html")
    assert [entry.name for entry in tmp_path.iterdir()] == ["file"]


def widths(picture: str, kind: str) -> list[float]:
    return [float(w) for w in re.findall(rf"<rect class='{kind}'[^>]*width='([\d.]+)'", picture)]


def test_bars_are_proportional() -> None:
    assert widths(svg.bar(3.0, 4.0), "plain") == [75.0]
    assert widths(svg.bar(-1.0, 4.0), "plain") == [0.0]
    assert widths(svg.bar(np.nan, 4.0), "plain") == [0.0]
    assert widths(svg.bar(1.0, 0.0), "plain") == [0.0]
    assert widths(svg.signed_bar(-2.0, 4.0), "down") == [25.0]
    assert "x='25.00'" in svg.signed_bar(-2.0, 4.0)
    assert "x='50.00'" in svg.signed_bar(2.0, 4.0)


def test_histogram_counts_every_value_once() -> None:
    values = [0.0, 0.5, 1.0, 1.0, 1.5, 2.0]
    titles = re.findall(r"<title>[^<]*: (\d+)</title>", svg.histogram(values, [0.0, 1.0, 2.0], "t"))
    assert [int(count) for count in titles] == [2, 4]


def test_log_lines_leave_out_what_has_no_logarithm() -> None:
    assert svg.log_lines({"gap": [(0, 0.0), (1, np.nan)]}, "t") == ""
    chart = svg.log_lines({"gap": [(0, 1.0), (100, 0.0), (200, 1e-6)]}, "t", target=1e-6)
    points = re.findall(r"points='([^']*)'", chart)[0].split()
    assert len(points) == 2
    (x0, y0), (x1, y1) = (map(float, point.split(",")) for point in points)
    assert x0 < x1
    assert y0 < y1


def test_numbers_in_words() -> None:
    assert numbers.quantity(126.5e6, "jobs") == "126.5 million jobs"
    assert numbers.quantity(4.92e12, "kg") == "4.920 trillion kg"
    assert numbers.quantity(16_197_928.0, "million USD") == "16,197,928 million USD"
    assert numbers.quantity(0.0, "t") == "0 t"
    assert numbers.quantity(np.nan) == "n/a"
    assert numbers.exact(1.0) == "1.0000000000"
