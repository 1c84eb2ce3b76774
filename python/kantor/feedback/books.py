"""The books of a plan: what it came from, kept in its folder, so that plans form a log that anyone can check.

``plan.json`` of a plan in a log has an entry ``books``:

============== =======================================================================================================
``parent``     ``folder`` and ``sha256`` of the parent's plan.json, which in turn has the SHA-256 of every other file
               of the parent; None for the first plan
``change``     what was new: reason, number of entries, the files it was read from with their SHA-256; the entries
               themselves are in ``change.csv``
``replan``     how it was applied: next_period, backlog, stability
``ballots``    aggregates of ballots (:mod:`kantor.feedback.ballots`), never ballots themselves
``privacy``    what personal data was touched: "none", or the privacy budget that was spent
``indicators`` :func:`kantor.feedback.indicators.plan_indicators`, and the participation rate of the ballots
============== =======================================================================================================
"""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from ..errors import ProblemError
from ..planning.folder import load_plan, save_plan
from ..planning.record import read_record, sha256_of
from ..planning.result import PlanResult
from .change import Change
from .indicators import plan_indicators

CHANGE_FILE = "change.csv"


@dataclass(frozen=True)
class Books:
    """What is entered beside a plan.

    parent : folder of the parent plan, None for a first plan
    change : what was new since the parent
    replan : how the change was applied
    ballots : aggregates of ballots, with ``participation`` (voters / eligible) if there were any
    privacy : text or mapping with the budget spent; "none" where no personal data was touched
    """

    parent: Path | None = None
    change: Change | None = None
    replan: dict[str, Any] = field(default_factory=dict)
    ballots: dict[str, Any] | None = None
    privacy: Any = "none"

    @classmethod
    def of(cls, parent: str | Path | None = None, **entries: Any) -> Books:
        """Books with the parent's folder checked: ProblemError if it is none."""
        place = None if parent is None else Path(parent)
        if place is not None:
            read_record(place)
        return cls(place, **entries)

    def entry(self, result: PlanResult) -> tuple[dict[str, Any], dict[str, bytes]]:
        """What plan.json keeps, and the files that go with it."""
        files: dict[str, bytes] = {}
        facts: dict[str, Any] = {"parent": None, "change": None, "replan": self.replan}
        parent = None
        if self.parent is not None:
            parent = load_plan(self.parent)
            facts["parent"] = {"folder": self.parent.resolve().name, "sha256": sha256_of(self.parent / "plan.json")}
        if self.change is not None:
            files[CHANGE_FILE] = change_csv(self.change)
            facts["change"] = {
                "reason": self.change.reason,
                "entries": len(self.change),
                "sources": [dataclasses.asdict(source) for source in self.change.sources],
            }
        indicators = plan_indicators(result, parent)
        indicators["participation"] = (self.ballots or {}).get("participation")
        facts |= {"ballots": self.ballots, "privacy": self.privacy, "indicators": indicators}
        json.dumps(
            facts, allow_nan=False
        )  # numbers that JSON does not know are found here, not in a half-written folder
        return facts, files


def save_with_books(result: PlanResult, folder: str | Path, books: Books) -> Path:
    """Write a plan folder with its books; a folder that is its own parent is refused."""
    target = Path(folder)
    if books.parent is not None and target.exists() and target.resolve() == books.parent.resolve():
        raise ProblemError(f"{target}: is the parent of the new plan, which must stay; name another folder")
    return save_plan(result, target, books=books.entry(result))


def change_csv(change: Change) -> bytes:
    """The entries as CSV, labels of several levels and numbers as JSON, so that they are read back as they were."""
    table = change.table.copy()
    for column in ("label", "technique", "value"):
        table[column] = [json.dumps(_plain(value), ensure_ascii=False) for value in table[column]]
    content: str = table.to_csv(index=False)
    return content.encode()


def read_change_csv(path: Path) -> Change:
    """The entries that :func:`change_csv` wrote; ProblemError naming the file if it cannot be read."""
    try:
        table = pd.read_csv(path, dtype=str, keep_default_na=False)
        for column in ("label", "technique", "value"):
            table[column] = pd.Series([_tupled(json.loads(text)) for text in table[column]], dtype=object)
    except (OSError, ValueError, KeyError) as error:
        raise ProblemError(f"{path}: cannot be read: {error}") from error
    return Change(table)


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_plain(part) for part in value]
    return value.item() if hasattr(value, "item") else value


def _tupled(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value
