"""Every measured number of the white paper is the one in the results file it names."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PAPER = ROOT / "docs" / "whitepaper.md"
RESULTS = ROOT / "benchmarks" / "results"
pytestmark = pytest.mark.skipif(not RESULTS.is_dir(), reason="needs the measured results of the source repository")
CLAIM = re.compile(r"([\d.,e+-]*\d)\s?<!-- ([\w-]+): ([\w.]+?)(?: (\d+))? -->")


def claims() -> list[tuple[str, str, str, str]]:
    return CLAIM.findall(PAPER.read_text(encoding="utf-8"))


def test_there_are_claims() -> None:
    text = PAPER.read_text(encoding="utf-8")
    assert len(claims()) == text.count("<!--") > 20


@pytest.mark.parametrize(("words", "file", "field", "times"), claims())
def test_number_is_the_measured_one(words: str, file: str, field: str, times: str) -> None:
    value = json.loads((RESULTS / f"{file}.json").read_text(encoding="utf-8"))
    for key in field.split("."):
        value = value[int(key)] if isinstance(value, list) else value[key]
    plain = words.replace(",", "")
    digits = len(re.sub(r"e.*|[^\d]", "", plain).lstrip("0"))
    assert float(f"{value * float(times or 1):.{max(digits, 1) - 1}e}") == float(plain)
