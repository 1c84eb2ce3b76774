"""Pages of the documentation that nobody types: API reference, measured results, changelog, map of the imports."""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path
from typing import Any

import import_map

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks" / "results"
GROUPS = {
    "planning": "Plans",
    "modelling": "Years, capital, trade",
    "feedback": "The living plan",
    "data": "Tables",
    "analysis": "Analysis of tables",
    "solvers": "Solvers on arrays",
    "backends": "Machines",
    "config": "Machines",
}
# Classes that are returned, not called: part of the reference though no public name of the package.
RETURNED = (("planning.result", "PlanResult"), ("planning.plots", "Figures"))


def write(folder: Path) -> None:
    """Write all of them below ``folder/generated``."""
    place = folder / "generated"
    place.mkdir(exist_ok=True)
    pages = {
        "api": api(),
        "performance": performance(),
        "imports": import_map.page(),
        "changelog": (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"),
    }
    for name, text in pages.items():
        path = place / f"{name}.md"
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")


def api() -> str:
    """Every public name with its docstring, by the layer that defines it."""
    import kantor

    found: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for name, module in sorted(kantor._HOME.items()):
        found[GROUPS[module.split(".")[0]]].append((module, name))
    found["Plans"] += list(RETURNED)
    parts = ["# API reference\n", "Every public name, from its docstring. `import kantor as kt` first.\n"]
    for title in dict.fromkeys(GROUPS.values()):
        parts.append(f"## {title}\n")
        for module, name in found[title]:
            shown = name if (module, name) in RETURNED else f"kt.{name}"
            value = getattr(__import__(f"kantor.{module}", fromlist=[name]), name)
            kind = "autoclass" if isinstance(value, type) else "autofunction"
            lines = [f".. {kind}:: kantor.{module}.{name}"]
            if kind == "autoclass":
                lines += ["   :members:", "   :inherited-members: Exception, int, str, float, tuple, object, Enum"]
            parts.append(f"### {shown}\n\n```{{eval-rst}}\n" + "\n".join(lines) + "\n```\n")
    return "\n".join(parts)


def performance() -> str:
    """Every file of measured results as a table: each number is one of a file, none was typed."""
    parts = [
        "# Measured results\n",
        "Made from the files of `benchmarks/results/` when this site is built. What was measured, and how: "
        "[Benchmarks](../benchmarks.md); machine and commit stand with each file. On a shared machine runs vary: "
        "`load` is its load average when the run began.\n",
    ]
    for path in sorted(RESULTS.glob("*.json")):
        data = json.loads(path.read_text(encoding="utf-8"))
        parts.append(f"## {path.stem}\n")
        facts = {key: value for key, value in data.items() if not isinstance(value, list | dict)}
        machine = data.get("machine", {})
        facts |= {key: machine[key] for key in ("date", "commit", "processor", "cores", "load") if key in machine}
        parts.append(", ".join(f"{key} {_cell(value)}" for key, value in facts.items()) + "\n")
        for key, value in data.items():
            for name, rows in _tables(key, value):
                parts.append(f"**{name}**\n\n{_markdown(rows)}\n")
    return "\n".join(parts)


def _tables(key: str, value: Any) -> list[tuple[str, list[dict[str, Any]]]]:
    """Lists of records below a key, with the path to each."""
    if key in ("machine", "versions", "violations", "counts"):
        return []
    if isinstance(value, list) and value and all(isinstance(row, dict) for row in value):
        found, flat = [], []
        for row in value:
            flat.append({k: v for k, v in row.items() if not isinstance(v, list | dict) and k != "why"})
            for inner, below in row.items():
                label = next((str(row[n]) for n in ("name", "family", "case") if n in row), "")
                found += _tables(f"{key} {label}: {inner}".replace(" :", ":"), below)
        return [(key, flat), *found]
    if isinstance(value, dict):
        plain = {k: v for k, v in value.items() if not isinstance(v, list | dict)}
        found = [(key, [plain])] if plain else []
        for inner, below in value.items():
            found += _tables(f"{key}: {inner}", below)
        return found
    return []


def _markdown(rows: list[dict[str, Any]]) -> str:
    heads = list(dict.fromkeys(name for row in rows for name in row))
    lines = ["| " + " | ".join(heads) + " |", "|" + "---|" * len(heads)]
    lines += ["| " + " | ".join(_cell(row.get(name)) for name in heads) + " |" for row in rows]
    return "\n".join(lines)


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    return str(value).replace("|", "/").replace("\n", " ")
