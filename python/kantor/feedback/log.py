"""A log of plans: plan folders side by side, each naming its parent by hash; written, read and checked offline.

What :func:`verify_log` checks, and what a reason names:

1. nothing lies in the log but plan folders, and nothing in these but what plan.json lists;
2. every file has the SHA-256 that plan.json states, plan.json its own digest, and its bytes are the one way to write
   its content: a changed byte anywhere is found, and its file named;
3. every plan but the first names a parent in the log by the SHA-256 of its plan.json, no two the same one;
4. the plan asks what its parent asked, with the entries of change.csv and nothing else applied (where the parent's
   question can be read again);
5. the indicators are those of the tables;
6. every certificate, by :func:`kantor.verify_plan`.

A log that was rewritten as a whole is consistent in itself. Whoever keeps the *head*, the SHA-256 of the last
plan.json, sees it: ``head=`` compares. Publish heads where they cannot be taken back.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..atomic import new_folder
from ..errors import KantorError, ProblemError
from ..planning.folder import load_plan
from ..planning.record import digest, read_record, sha256_of, written
from ..planning.result import PlanResult
from ..planning.verify import verify_plan
from .books import CHANGE_FILE, Books, read_change_csv, save_with_books
from .indicators import plan_indicators
from .replay import wrong_question

_SAME = 1e-9  # indicators computed twice


@dataclass(frozen=True)
class LogVerification:
    """What :func:`verify_log` found; ``bool`` of it is ``ok``.

    reasons : what does not hold, each beginning with the file or folder it is about, relative to the log
    plans : folders in the order of the chain
    head : SHA-256 of the last plan.json
    notes : what could not be checked
    """

    ok: bool
    reasons: list[str]
    plans: list[str]
    head: str
    notes: list[str] = field(default_factory=list)

    def __bool__(self) -> bool:
        return self.ok

    def __str__(self) -> str:
        lines = ["the log holds" if self.ok else "the log does not hold"]
        lines.append(f"{len(self.plans)} plans, head {self.head or 'none'}")
        return "\n".join([*lines, *(f"- {r}" for r in self.reasons), *(f"note: {n}" for n in self.notes)])


class Log:
    """A folder of plan folders, 0000, 0001, ... in the order in which they were made.

    >>> import tempfile, kantor as kt
    >>> eco = kt.Economy.from_arrays(input=[[0.5]], intensities=[[2.0]], demand=[10.0], indicators=["labour"])
    >>> log = Log(tempfile.mkdtemp())
    >>> _ = log.append(kt.Plan(eco, limits={"labour": 40.0}).solve())
    >>> done = kt.Replanner(log.last()).replan(kt.Change.of(limit={"labour": 44.0}, reason="more hands"))
    >>> _ = log.append(done.result, change=done.change)
    >>> verify_log(log.folder).ok
    True
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)

    def plans(self) -> list[Path]:
        """Its plan folders, by name."""
        if not self.folder.is_dir():
            return []
        return sorted(path for path in self.folder.iterdir() if (path / "plan.json").is_file())

    def last(self) -> Path | None:
        """The folder of the last plan: the one that is no other's parent."""
        chain, reasons = _chain({path.name: _record(path) for path in self.plans()}, self.folder)
        if reasons:
            raise ProblemError(f"{self.folder}: the log does not hold: {reasons[0]}")
        return self.folder / chain[-1] if chain else None

    def adopt(self, plan: str | Path) -> Path:
        """Begin the log with a copy of a plan folder, as it is; its report, which nothing covers, stays behind."""
        if self.plans():
            raise ProblemError(f"{self.folder}: has begun already")
        read_record(Path(plan))
        with new_folder(self.folder / "0000") as partial:
            shutil.copytree(plan, partial, dirs_exist_ok=True, ignore=shutil.ignore_patterns("report.html"))
        return self.folder / "0000"

    def append(self, result: PlanResult, **entries: Any) -> Path:
        """Write a plan as the child of the last one; ``entries`` as in :class:`kantor.feedback.books.Books`."""
        last = self.last()
        number = 1 + max((int(path.name) for path in self.plans() if path.name.isdigit()), default=-1)
        return save_with_books(result, self.folder / f"{number:04d}", Books.of(parent=last, **entries))


def verify_log(folder: str | Path, *, head: str | None = None, certificates: bool = True) -> LogVerification:
    """Check a whole log; see the module's page.

    head : the SHA-256 that the last plan.json must have, as someone noted it; finds what was cut off or rewritten
    certificates : False leaves out steps 4 to 6, which take as long as reading and proving every plan

    Raises ProblemError if there is no such folder.
    """
    place = Path(folder)
    if not place.is_dir():
        raise ProblemError(f"{place}: no such folder")
    reasons, records, notes = [], dict[str, dict[str, Any] | None](), list[str]()
    for path in sorted(place.iterdir()):
        if not (path / "plan.json").is_file():
            reasons.append(f"{path.name}: is no plan folder")
            continue
        records[path.name] = _record(path)
        reasons += [f"{path.name}/{reason}" for reason in _wrong_bytes(path, records[path.name])]
    chain, broken = _chain(records, place)
    reasons += broken
    last = sha256_of(place / chain[-1] / "plan.json") if chain else ""
    if not records:
        reasons.append("the log is empty")
    if head is not None and head != last:
        reasons.append(f"the head is {last or 'none'}, not {head}: plans were cut off, added or rewritten")
    if certificates and not reasons:
        for name in chain:
            found, more = _wrong_content(place, name, records[name] or {})
            reasons += [f"{name}: {reason}" for reason in found]
            notes += [f"{name}: {note}" for note in more]
    return LogVerification(not reasons, reasons, chain or sorted(records), last, notes)


def _record(path: Path) -> dict[str, Any] | None:
    try:
        return read_record(path)
    except ProblemError:
        return None


def _wrong_bytes(path: Path, record: dict[str, Any] | None) -> Iterator[str]:
    """Reasons "FILE: ..." for one plan folder."""
    if record is None or not isinstance(record.get("tables"), dict):
        yield "plan.json: cannot be read, it was changed"
        return
    if digest(record) != record.get("digest"):
        yield "plan.json: was changed, its digest does not match"
    elif written(record) != (path / "plan.json").read_bytes():
        yield "plan.json: was changed, its bytes are not those that kantor writes"
    listed = record["tables"]
    for name in sorted(str(file.relative_to(path)) for file in path.rglob("*") if not file.is_dir()):
        if name == "plan.json":
            continue
        if name not in listed:
            yield f"{name}: is not listed in plan.json"
        elif sha256_of(path / name) != listed[name]:
            yield f"{name}: was changed, its SHA-256 does not match"
    for name in listed:
        if not (path / name).is_file():
            yield f"{name}: is missing"


def _parent(record: dict[str, Any] | None) -> str | None:
    parent = ((record or {}).get("books") or {}).get("parent")
    return None if parent is None else str(parent.get("sha256"))


def _chain(records: dict[str, dict[str, Any] | None], place: Path) -> tuple[list[str], list[str]]:
    """The folders from the first plan to the last, and what is wrong with their order."""
    by_hash = {sha256_of(place / name / "plan.json"): name for name in records}
    children: dict[str | None, list[str]] = {}
    reasons = []
    for name, record in records.items():
        if record is None:
            continue
        parent = _parent(record)
        if parent is not None and parent not in by_hash:
            stated = record["books"]["parent"].get("folder")
            reasons.append(
                f"{name}/plan.json: its parent ({stated}) is not in the log as it was; it was changed or left out"
            )
            continue
        children.setdefault(None if parent is None else by_hash[parent], []).append(name)
    for parent_name, names in children.items():
        if len(names) > 1:
            where = "no parent" if parent_name is None else f"the parent {parent_name}"
            reasons.append(f"{names[1]}/plan.json: has {where}, as {names[0]} has; a log has one line")
    chain: list[str] = []
    following = children.get(None, [])
    while following and following[0] not in chain:
        chain.append(following[0])
        following = children.get(chain[-1], [])
    return chain, reasons


def _wrong_content(place: Path, name: str, record: dict[str, Any]) -> tuple[list[str], list[str]]:
    """What the proofs, the indicators and the parent's question say of one plan; and notes."""
    path, reasons, notes = place / name, list[str](), list[str]()
    checked = verify_plan(path)
    reasons += checked.reasons
    books = record.get("books")
    if books is None:
        return reasons, notes
    parent = None if books["parent"] is None else _named(place, books["parent"]["sha256"])
    try:
        result = load_plan(path)
        indicators = plan_indicators(result, None if parent is None else load_plan(parent))
        stated = {key: books["indicators"].get(key) for key in indicators}
        if not _alike(stated, indicators):
            reasons.append("the indicators are not those of the tables")
        if parent is not None and books["change"] is not None:
            found, why_not = wrong_question(parent, path, read_change_csv(path / CHANGE_FILE), books["replan"])
            reasons += found
            notes += [f"the change was not replayed: {why_not}"] if why_not else []
    except (KantorError, KeyError, TypeError, ValueError) as error:
        reasons.append(f"the books cannot be read: {error!r}")
    return reasons, notes


def _named(place: Path, sha: str) -> Path:
    return next(path.parent for path in sorted(place.glob("*/plan.json")) if sha256_of(path) == sha)


def _alike(one: Any, other: Any) -> bool:
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_alike(one[key], other[key]) for key in one)
    if isinstance(one, float) and isinstance(other, float):
        return abs(one - other) <= _SAME * max(1.0, abs(one))
    return bool(one == other)
