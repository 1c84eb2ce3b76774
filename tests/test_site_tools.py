"""The tools that make the documentation: the map of the imports, the generated pages, the check of links."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path

import pytest

import kantor as kt

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tools"))

import check_links  # noqa: E402
import import_map  # noqa: E402
import make_docs  # noqa: E402
import make_whitepaper  # noqa: E402


def test_no_import_points_upwards() -> None:
    found = import_map.imports()
    assert import_map.upward(found) == []
    assert found["cli", "planning"] > 3
    assert found["planning", "solvers"] > 3
    assert import_map.upward(Counter({("solvers", "planning"): 1})) == [("solvers", "planning")]


def test_every_folder_of_the_package_is_in_the_map() -> None:
    folders = {path.parent.name for path in import_map.PACKAGE.glob("*/__init__.py")}
    assert folders <= set(import_map.LAYERS)
    assert all(f">{layer}</text>" in import_map.page() for layer in folders)


def test_reference_has_every_public_name() -> None:
    text = make_docs.api()
    for name in kt._HOME:
        assert f"\n### kt.{name}\n" in text


@pytest.mark.skipif(not make_docs.RESULTS.is_dir(), reason="needs the measured results of the source repository")
def test_measured_results_are_those_of_the_files(tmp_path: Path) -> None:
    text = make_docs.performance()
    for path in make_docs.RESULTS.glob("*.json"):
        assert f"## {path.stem}" in text
    assert "170,791,928" in text


def test_broken_links_are_found(tmp_path: Path) -> None:
    (tmp_path / "a.html").write_text("<a href='b.html#here'>b</a><a href='http://example.org'>x</a><p id='top'>")
    (tmp_path / "b.html").write_text("<p id='here'></p><a href='a.html#top'>a</a>")
    assert check_links.broken(tmp_path) == ([], 1)
    (tmp_path / "b.html").write_text("<a href='a.html#gone'>a</a><a href='c.html'>c</a>")
    wrong = check_links.broken(tmp_path)[0]
    assert wrong == [
        "a.html: b.html#here has no such place",
        "b.html: a.html#gone has no such place",
        "b.html: c.html leads nowhere",
    ]


def test_white_paper_has_no_links_that_lead_nowhere(tmp_path: Path) -> None:
    pytest.importorskip("markdown_it")
    page = tmp_path / "page.md"
    page.write_text("# A\n\n12<!-- file: field --> [b](other.md), [c](https://example.org)\n\n| d |\n|---|\n| e |\n")
    text = make_whitepaper.text_of(page)
    assert "12 b, <a href=" in text
    assert "<table>" in text
    assert not any(trace in text for trace in ("other.md", "<!--"))


def test_white_paper_is_a_pdf(tmp_path: Path) -> None:
    pytest.importorskip("weasyprint", reason="needs WeasyPrint (pip install 'kantor[whitepaper]')", exc_type=Exception)
    make_whitepaper.write(ROOT / "docs" / "whitepaper.md", tmp_path / "a" / "paper.pdf")
    assert (tmp_path / "a" / "paper.pdf").read_bytes().startswith(b"%PDF-")
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["paper.pdf"]
