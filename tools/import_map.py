"""The map of the package: which layer imports which, read from the source. Fails where an import points upwards.

python tools/import_map.py            # prints the page
python tools/import_map.py --check    # only says whether the layers hold
"""

from __future__ import annotations

import ast
import sys
from collections import Counter
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1] / "python" / "kantor"
# From the top; a layer may import those below it.
LAYERS = ("cli", "report", "bench", "feedback", "planning", "modelling", "analysis", "data", "solvers", "backends")
# Public names, versions and errors are below all.
BASE = ("__init__", "__main__", "atomic", "errors", "config")


def imports() -> Counter[tuple[str, str]]:
    """(layer, layer it imports) with the number of modules that do."""
    found: Counter[tuple[str, str]] = Counter()
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        layer = parts[0]
        if layer not in LAYERS:
            continue
        targets = set()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom):
                targets |= _named(node, parts)
        for target in targets - {layer}:
            found[layer, target] += 1
    return found


def _named(node: ast.ImportFrom, parts: tuple[str, ...]) -> set[str]:
    if node.level == 0:
        words = (node.module or "").split(".")
        return {words[1]} & set(LAYERS) if words[0] == "kantor" and len(words) > 1 else set()
    base = parts[: len(parts) - node.level]
    words = [*base, *(node.module or "").split(".")] if node.module else list(base)
    if words:
        return {words[0]} & set(LAYERS)
    return {alias.name for alias in node.names} & set(LAYERS)


def upward(found: Counter[tuple[str, str]]) -> list[tuple[str, str]]:
    """Imports that point to a layer above; data and solvers stand side by side with analysis and modelling."""
    return [pair for pair in found if LAYERS.index(pair[0]) > LAYERS.index(pair[1])]


def svg(found: Counter[tuple[str, str]]) -> str:
    """Layers as boxes from the top, imports as lines whose width grows with their number."""
    used = [layer for layer in LAYERS if any(layer in pair for pair in found)]
    at = {layer: 24 + 46 * k for k, layer in enumerate(used)}
    parts = []
    for (source, target), count in sorted(found.items(), key=lambda item: item[1]):
        y0, y1 = at[source] + 13, at[target] + 13
        side = 1 if abs(used.index(source) - used.index(target)) % 2 else -1
        reach = 300 + side * (70 + abs(y1 - y0) * 0.42)
        x = 300 + side * 70
        parts.append(
            f'<path d="M{x},{y0} C{reach:.0f},{y0} {reach:.0f},{y1} {x},{y1}" fill="none" stroke="#2f7a8c" '
            f'stroke-opacity="0.45" stroke-width="{1 + count**0.5 / 2:.1f}" marker-end="url(#tip)">'
            f"<title>{source} imports {target}: {count} modules</title></path>"
        )
    for layer, y in at.items():
        parts.append(
            f'<rect x="230" y="{y}" width="140" height="26" rx="5" fill="#fbfaf7" stroke="#56606a"/>'
            f'<text x="300" y="{y + 17}" text-anchor="middle" font-family="sans-serif" font-size="13">{layer}</text>'
        )
    tip = (
        '<marker id="tip" viewBox="0 0 6 6" refX="5" refY="3" markerWidth="5" markerHeight="5" orient="auto">'
        '<path d="M0,0L6,3L0,6Z" fill="#2f7a8c"/></marker>'
    )
    height = max(at.values()) + 50
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 600 {height}" role="img" style="max-width:38rem">'
    return f"{head}<title>Imports between the layers</title><defs>{tip}</defs>{''.join(parts)}</svg>"


def page() -> str:
    """The picture and the same as a table."""
    found = imports()
    rows = [f"| {a} | {b} | {count} |" for (a, b), count in sorted(found.items(), key=lambda item: -item[1])]
    against = upward(found)
    said = (
        "None points upwards."
        if not against
        else f"Upwards: {', '.join(f'{a} to {b}' for a, b in against)}, each inside a function, when it is called."
    )
    return "\n".join(
        [
            "# Imports",
            "",
            "Read from the source when this site is built; a thicker line is more modules. " + said,
            "",
            "```{raw} html",
            svg(found),
            "```",
            "",
            "| layer | imports | modules |",
            "|---|---|---|",
            *rows,
            "",
        ]
    )


if __name__ == "__main__":
    if "--check" in sys.argv:
        for pair in upward(imports()):
            print("points upwards: {} imports {}".format(*pair))
    else:
        print(page())
