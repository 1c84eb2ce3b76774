"""The page around a report: frame, style, script, tables. Everything that reaches the page as text is escaped here."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from html import escape
from importlib import resources
from typing import Any

# A longer name is cut in lists; the whole of it stands where the product is shown by itself.
_LONGEST = 120
_DARK = (
    "--paper:#15181b;--card:#1d2125;--ink:#e6e4de;--soft:#a2acb5;--rule:#343a40;--plain:#5fb0c4;--bind:#e08a4c;"
    "--up:#5fb0c4;--down:#e08a4c;--track:#2a2f34;--good:#7cc48f;--bad:#ea8277;--l0:#5fb0c4;--l1:#e08a4c;--l2:#a996d6;"
    "--l3:#b3c463;--h1:#1f3338;--h2:#274d57;--h3:#2f6b7a;--h4:#5fb0c4;--h4ink:#10181b;--flow:#5fb0c4"
)


@dataclass(frozen=True)
class Markup:
    """Text that already is HTML; a plain str is escaped when it is put on the page."""

    html: str


Cell = str | Markup


def html(cell: Cell) -> str:
    """HTML of a cell: escaped text, or markup as it is.

    >>> html("a < b"), html(Markup("<b>a</b>"))
    ('a &lt; b', '<b>a</b>')
    """
    return cell.html if isinstance(cell, Markup) else escape(cell)


def shortened(text: str, longest: int = _LONGEST) -> str:
    """A name that fits into a list; without characters that a page cannot hold.

    >>> shortened("iron"), len(shortened(10_000 * "x"))
    ('iron', 120)
    """
    text = text.replace("\0", "\N{REPLACEMENT CHARACTER}")
    return text if len(text) <= longest else text[: longest - 1] + "…"


def named(text: str) -> Markup:
    """A name that comes from the input: cut to a readable length, its direction of writing kept to itself.

    >>> named("<b>").html
    '<bdi>&lt;b&gt;</bdi>'
    """
    return Markup(f"<bdi>{escape(shortened(text))}</bdi>")


def table(
    head: Sequence[str], rows: Iterable[Sequence[Cell]], *, caption: str, classes: Sequence[str] = (), kind: str = ""
) -> str:
    """A table; ``classes`` names the style of each column ("num", "barcell", "label"), by default label then num.

    ``kind`` is a class of the whole table. Rows may be longer than ``classes``: a cell may be ``(class, cell)`` markup.
    """
    names = list(classes) or ["label", *["num"] * (len(head) - 1)]
    top = "".join(f"<th scope='col' class='{c}'>{escape(h)}</th>" for h, c in zip(head, names, strict=True))
    body = []
    for row in rows:
        cells = [f"<th scope='row' class='{names[0]}'>{html(row[0])}</th>"]
        cells += [f"<td class='{c}'>{html(v)}</td>" for v, c in zip(row[1:], names[1:], strict=True)]
        body.append(f"<tr>{''.join(cells)}</tr>")
    style = f" class='{kind}'" if kind else ""
    return (
        f"<div class='scroll' tabindex='0' role='group' aria-label='{escape(shortened(caption, 60))}'>"
        f"<table{style}><caption><span>{escape(caption)}</span></caption><thead><tr>{top}</tr></thead>"
        f"<tbody>{''.join(body)}</tbody></table></div>"
    )


def tiles(pairs: Iterable[tuple[str, Cell, Cell]]) -> str:
    """A row of figures: (name, value, a line below it)."""
    cells = [
        f"<div class='tile'><dt>{escape(n)}</dt><dd>{html(v)}<small>{html(s)}</small></dd></div>" for n, v, s in pairs
    ]
    return f"<dl class='tiles'>{''.join(cells)}</dl>"


def section(title: str, *parts: str) -> str:
    """A titled section, or nothing if it has no content."""
    inner = "".join(parts)
    name = re.sub(r"[^a-z]+", "-", title.casefold())
    head = f"<section id='{name}' aria-labelledby='{name}-title'><h2 id='{name}-title'>{escape(title)}</h2>"
    return f"{head}{inner}</section>" if inner else ""


def paragraph(text: str, kind: str = "") -> str:
    """One paragraph of plain text."""
    return f"<p class='{kind}'>{escape(text)}</p>" if kind else f"<p>{escape(text)}</p>"


def page(title: str, body: str, data: dict[str, Any] | None = None) -> str:
    """The whole document: no font, no link and no request that leaves the file; one script, named by its SHA-256.

    The page's own security policy lets nothing else run, whatever the labels of a table hold.
    """
    from jinja2 import Environment
    from markupsafe import Markup as Safe

    script = asset("report.js")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    # "<" is the only character that could end the element the data stand in.
    text = "" if data is None else json.dumps(data, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    frame = Environment(autoescape=True, trim_blocks=True).from_string(asset("page.html.j2"))
    return frame.render(
        title=shortened(title, 300),
        digest=digest,
        style=Safe(asset("style.css").replace("DARK", _DARK)),
        script=Safe(script),
        sections=re.findall(r"<section id='([a-z-]+)' [^>]*><h2[^>]*>([^<]*)</h2>", body),
        body=Safe(body),
        data=Safe(text.replace("<", "\\u003c")),
    )


@cache
def asset(name: str) -> str:
    """A file of the folder ``assets``."""
    return resources.files(__package__).joinpath("assets", name).read_text(encoding="utf-8")
