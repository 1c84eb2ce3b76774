"""The report in a real browser: no errors, no requests, search and sorting, figures as in the Parquet tables."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import kantor as kt
from browser import Seen, chromium
from kantor.report.html import write_report

SCALES = {"million": 1e6, "billion": 1e9, "trillion": 1e12}


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium() as found:
        yield found


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A plan of 23 products, with its report beside it."""
    limits = {"labour": "102%", "ghg": "-5%", "water": "100%"}
    result = kt.Plan(kt.load_economy("us_2012"), objective=kt.Harmony(), limits=limits).solve()
    place = result.save(tmp_path_factory.mktemp("seen") / "plan")
    write_report(place, place / "report.html")
    return place


@pytest.fixture
def seen(browser: Any, folder: Path) -> Iterator[Seen]:
    page = Seen(browser, folder / "report.html")
    yield page
    page.page.close()


def number(text: str) -> float:
    """A number as the page writes it."""
    value = re.sub(r"[,%≤≥\u00a0 ]|(million|billion|trillion).*", "", text)
    scale = next((s for word, s in SCALES.items() if word in text), 0.01 if "%" in text else 1.0)
    return float(value) * scale


def test_quiet_and_alone(seen: Seen) -> None:
    seen.page.get_by_label("Search products").fill("electricity")
    seen.page.locator("#products-table tbody button").first.click()
    assert seen.errors == []
    assert [url for url in seen.requests if not url.startswith("file:")] == []
    assert len(seen.requests) == 1


def test_policy_stops_what_was_not_there(browser: Any, folder: Path, tmp_path: Path) -> None:
    """A script or picture that got into the page after all would neither run nor be fetched."""
    text = (folder / "report.html").read_text()
    late = "<script>document.title = 'taken'</script><img src='http://127.0.0.1:9/x.png'></main>"
    (tmp_path / "page.html").write_text(text.replace("</main>", late))
    page = Seen(browser, tmp_path / "page.html")
    assert page.page.title() != "taken"
    assert sum("Content Security Policy" in error for error in page.errors) == 2
    page.page.close()


def test_search_finds_and_says_how_many(seen: Seen) -> None:
    search = seen.page.get_by_label("Search products")
    search.fill("FOOD bever")
    assert seen.column("#products-table", 1) == ["Food, beverages and tobacco"]
    assert seen.page.locator("#found").inner_text() == "1 to 1 of 1"
    search.fill("no such thing")
    assert seen.column("#products-table", 1) == []
    assert "Nothing found" in seen.page.locator("#found").inner_text()
    search.fill("")
    assert seen.page.locator("#found").inner_text() == "1 to 15 of 23"
    seen.page.get_by_role("button", name="Next", exact=True).click()
    assert seen.page.locator("#found").inner_text() == "16 to 23 of 23"


def test_sorting_both_ways(seen: Seen) -> None:
    seen.page.locator("#products-table thead button", has_text="price").click()
    down = [number(text) for text in seen.column("#products-table", 6)]
    assert down == sorted(down, reverse=True)
    assert seen.page.locator("#products-table th[aria-sort]").get_attribute("aria-sort") == "descending"
    seen.page.locator("#products-table thead button", has_text="price").click()
    up = [number(text) for text in seen.column("#products-table", 6)]
    assert up == sorted(up)
    assert up != down[::-1]  # other products: the list begins at the other end
    limits = "#limits > .scroll table"
    seen.page.locator(f"{limits} thead button", has_text="use / bound").first.click()
    shares = [number(text) for text in seen.column(limits, 5)]
    assert shares == sorted(shares, reverse=True)
    assert shares[0] == 1.0


def test_figures_are_those_of_the_tables(seen: Seen, folder: Path) -> None:
    asked, prices = pd.read_parquet(folder / "consumption.parquet"), pd.read_parquet(folder / "prices.parquet")["price"]
    basket = asked["target"].clip(lower=0.0)
    relative = prices * float(basket.sum()) / float(prices.to_numpy() @ basket.to_numpy())
    shown: dict[str, list[float]] = {}
    for page in (1, 2):
        for k, name in enumerate(seen.column("#products-table", 1)):
            shown[name] = [number(seen.column("#products-table", c)[k]) for c in (3, 4, 5, 6)]
        if page == 1:
            seen.page.get_by_role("button", name="Next", exact=True).click()
    assert set(shown) == set(asked.index)
    for name, (target, consumption, share, price) in shown.items():
        row: dict[Any, Any] = asked.loc[name].to_dict()
        assert target == pytest.approx(row["target"], rel=1e-3)
        assert consumption == pytest.approx(row["consumption"], rel=1e-3)
        assert share == pytest.approx(row["consumption"] / row["target"], rel=1e-3)
        assert price == pytest.approx(float(relative[name]), rel=1e-3)
    use = pd.read_parquet(folder / "use.parquet")
    limits = "#limits > .scroll table"
    for name, used in zip(seen.column(limits, 1), seen.column(limits, 2), strict=False):
        assert number(used) == pytest.approx(use["use"].to_dict()[name.split()[0]], rel=1e-3)


def test_flows_of_a_product_add_up_and_lead_on(seen: Seen) -> None:
    """At the optimum what goes into a product, with the rents, is worth what leaves it."""
    seen.page.get_by_label("Search products").fill("construction")
    seen.page.locator("#products-table tbody button").first.click()
    card = seen.page.locator("#picked")
    assert card.locator("h3").inner_text() == "Construction"
    assert card.locator("h3").evaluate("node => node === document.activeElement")
    left, right = (
        sum(map(number, card.locator(f"table >> nth={k} >> tbody td:nth-child(2)").all_inner_texts())) for k in (0, 1)
    )
    assert left == pytest.approx(right, rel=2e-3)
    assert "labour (rent)" in card.inner_text()
    assert "consumption" in card.inner_text()
    first = card.locator("svg g[role=button]").first
    name = (first.get_attribute("aria-label") or "").split(":")[0]
    first.focus()
    seen.page.keyboard.press("Enter")
    assert card.locator("h3").inner_text() == name
    assert name != "Construction"


def test_keyboard_alone(seen: Seen) -> None:
    seen.page.keyboard.press("Tab")
    assert seen.page.evaluate("document.activeElement.className") == "skip"
    seen.page.keyboard.press("Enter")
    unnamed = seen.page.evaluate(
        "[...document.querySelectorAll('button, input, [tabindex=\"0\"]')].filter(node => !node.textContent.trim()"
        " && !node.getAttribute('aria-label') && !(node.labels && node.labels.length)).length"
    )
    assert unnamed == 0


def test_dark_light_and_phone(browser: Any, folder: Path) -> None:
    paper = "getComputedStyle(document.body).backgroundColor"
    dark = Seen(browser, folder / "report.html", width=390, color_scheme="dark")
    assert dark.page.evaluate(paper) == "rgb(21, 24, 27)"
    assert dark.overflow() <= 0
    dark.page.get_by_role("button", name="Dark or light").click()
    assert dark.page.evaluate(paper) == "rgb(251, 250, 247)"
    dark.page.close()


def test_prints_without_controls(seen: Seen) -> None:
    seen.page.emulate_media(media="print")
    assert not seen.page.locator(".find").is_visible()
    assert not seen.page.locator("header.bar").is_visible()
    assert seen.page.locator("#picked svg").is_visible()
    assert len(seen.page.pdf()) > 10_000


HOSTILE = [
    "<script>document.title='taken'</script>",
    "</script><img src=x onerror=alert(1)>",
    "a \"quoted\" & 'single' one",
    "نفط خام",
    "\u202egnirtsb\u202c mixed",
    "x" * 10_000,
    "{{ 7*7 }} ${1+1}",
]


def test_hostile_names_stay_text(browser: Any, tmp_path: Path) -> None:
    n = len(HOSTILE)
    rng = np.random.default_rng(1)
    table = rng.random((n, n)) * 0.08
    use = pd.DataFrame(rng.random((2, n)) + 0.5, ["</title><b onclick=alert(1)>", "ore"], HOSTILE)
    economy = kt.Economy.from_iot(A=table, Y=rng.random(n) * 10 + 1, labels=HOSTILE, S=use)
    limits = {"</title><b onclick=alert(1)>": "90%", "ore": "95%"}
    result = kt.Plan(economy, objective=kt.Harmony(), limits=limits, name="<svg onload=alert(1)>").solve()
    for width in (1280, 390):
        page = Seen(browser, write_report(result, tmp_path / "report.html"), width=width)
        for k in range(n):
            page.page.locator("#products-table tbody button").nth(k).click()
        assert page.errors == []
        assert page.page.title() == "<svg onload=alert(1)>"
        assert page.overflow() <= 0
        names = page.column("#products-table", 1)
        assert set(HOSTILE[:5]) | {HOSTILE[6]} <= {name.replace("\u2066", "").strip() for name in names}
        assert any(name.startswith("xxx") and len(name) <= 120 for name in names)
        row = page.page.locator("#products-table tbody tr").filter(has_text="xxxx")
        assert row.bounding_box()["height"] < 400  # readable: the name is cut, not poured out
        page.page.locator("#products-table tbody button").filter(has_text="xxxx").click()
        assert page.page.locator("#picked h3").inner_text() == HOSTILE[5]  # and whole where it stands alone
        page.page.close()


def test_large_plans_are_shown_by_sector(browser: Any, tmp_path: Path) -> None:
    economy = kt.expand(kt.load_economy("eu_2006"), products=20_000, seed=1)
    result = kt.Plan(economy, objective=kt.Harmony(), limits={"labour": "90%"}).solve()
    path = write_report(result, tmp_path / "report.html")
    assert path.stat().st_size < 1_000_000
    page = Seen(browser, path)
    assert page.errors == []
    assert page.page.locator("#found").inner_text() == f"1 to {len(kt.load_economy('eu_2006').products)} of 5"
    page.page.close()


@pytest.mark.slow
def test_411_sectors_over_five_years(browser: Any, tmp_path: Path) -> None:
    """The file stays below five megabytes; how long it took to open is printed."""
    economy = kt.load_economy("us_useeio_2012_411")
    horizon = kt.Horizon(years=5, growth=0.01)
    plan = kt.Plan(economy, limits={"labour": "105%", "ghg": kt.Limit(at_most="-2%", over="total")}, horizon=horizon)
    path = write_report(plan.solve(tolerance=1e-4), tmp_path / "report.html")
    assert path.stat().st_size < 5_000_000
    began = time.perf_counter()
    page = Seen(browser, path)
    print(f"{path.stat().st_size / 1e6:.2f} MB opened in {time.perf_counter() - began:.2f} s")
    assert page.errors == []
    assert page.page.locator("#found").inner_text() == "1 to 15 of 2,055"
    page.page.close()
