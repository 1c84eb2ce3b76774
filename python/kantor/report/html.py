"""write_report: one static HTML file about a plan, readable without a network and in ten years."""

from __future__ import annotations

import math
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..atomic import new_file
from ..errors import OptionError
from .explorer import explorer_data
from .facts import Facts
from .page import Cell, Markup, page, paragraph, section, table
from .sections import SECTIONS
from .terms import explained

if TYPE_CHECKING:
    from ..planning.result import PlanResult


def write_report(plan: PlanResult | str | Path, path: str | Path) -> Path:
    """Write the report of a plan, given as a result or as a plan folder, to ``path`` and return that path.

    The file holds everything it shows: style, pictures, data and the script that searches and sorts them are inline;
    nothing is asked of any other file or machine. ``kantor verify`` ignores it.

    Raises ProblemError for a damaged folder or a path that cannot be written,
    OptionError for one that does not end in .html.
    """
    if Path(path).suffix.lower() not in (".html", ".htm"):  # a table of the plan would be lost to a slip of the hand
        raise OptionError(f"{path}: a report is a file that ends in .html")
    facts = _facts(plan)
    body = "".join(make(facts) for make in (*SECTIONS, verifying, provenance))
    target = Path(path)
    with new_file(target, parents=True) as file:
        file.write(page(facts.result.name, body, explorer_data(facts)).encode())
    return target


def verifying(facts: Facts) -> str:
    """How anyone can recheck the plan."""
    result, record = facts.result, facts.record
    commands = "<pre>kantor verify PLAN-FOLDER\nkantor verify PLAN-FOLDER --json</pre>"
    words = (
        "Keep the plan folder (plan.json and its Parquet tables) and the input files listed below together. The "
        "command reads the raw input again, derives targets, limits and prices from it, and recomputes both ends of "
        "the interval with code that shares nothing with the solver. It exits with 0 if the certificate holds and "
        "with 1 if not."
    )
    stated = f"It must find the objective between {result.lower_bound!r} and {result.upper_bound!r}."
    digest = record.get("digest")
    mark = f"<p>Digest of this plan's record: <span class='hash'>{escape(str(digest))}</span></p>" if digest else ""
    bounded = math.isfinite(result.lower_bound) and math.isfinite(result.upper_bound)
    return section("How to verify", paragraph(words), commands, paragraph(stated) if bounded else "", mark)


def provenance(facts: Facts) -> str:
    """Where the numbers come from: input files with their hashes, the scenario, versions, options, timings."""
    record = facts.record
    parts = [
        paragraph(f"Computed {record['created']} from {record['economy']['name']}.") if "created" in record else ""
    ]
    inputs: list[tuple[Cell, Cell]] = [
        (Markup(_code(entry["path"])), Markup(_code(entry["sha256"]))) for entry in record.get("inputs", [])
    ]
    if inputs:
        parts.append(table(("input file", "SHA-256"), inputs, caption="Inputs", classes=("label", "label")))
    scenario = record.get("scenario")
    if scenario:
        title, text = escape(str(scenario["path"])), escape(str(scenario["text"]))
        parts.append(f"<details><summary>Scenario {title}, word for word</summary><pre>{text}</pre></details>")
    info = facts.result.info
    facts_table: list[tuple[Cell, Cell]] = [
        ("method", info.method),
        ("why", info.why),
        ("backend", f"{info.backend}, {info.device}"),
    ]
    facts_table += [(f"option {key}", str(value)) for key, value in facts.result.options.items() if value is not None]
    facts_table += [(f"seconds, {key}", f"{value:.3g}") for key, value in _flat(info.seconds)]
    facts_table += [(key, str(value)) for key, value in record.get("software", {}).items()]
    notes = (*facts.result.notes, *info.notes)
    facts_table += [("note", note) for note in (*notes, *explained((info.why, *notes)))]
    inner = table(
        ("", ""), [row for row in facts_table if row[1]], caption="How it was computed", classes=("label", "label")
    )
    return section(
        "Provenance", *parts, f"<details><summary>Method, options, versions, timings, notes</summary>{inner}</details>"
    )


def _facts(plan: PlanResult | str | Path) -> Facts:
    from ..planning.folder import load_plan, read_record

    if isinstance(plan, str | Path):
        return Facts(load_plan(plan), read_record(Path(plan)))
    if plan.folder is not None:
        return Facts(plan, read_record(plan.folder))
    economy = plan.plan.economy if plan.plan is not None else None
    sources = [] if economy is None else [{"path": s.path, "sha256": s.sha256} for s in economy.sources]
    return Facts(plan, {"inputs": sources})


def _flat(tree: dict[str, Any], above: str = "") -> list[tuple[str, float]]:
    rows: list[tuple[str, float]] = []
    for key, value in tree.items():
        rows += _flat(value, f"{above}{key} / ") if isinstance(value, dict) else [(f"{above}{key}", float(value))]
    return rows


def _code(text: Any) -> str:
    return f"<span class='hash'>{escape(str(text))}</span>"
