"""The page around a report: style, frame, tables. Everything that reaches the page as text is escaped here."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape


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


def table(head: Sequence[str], rows: Iterable[Sequence[Cell]], *, caption: str, classes: Sequence[str] = ()) -> str:
    """A table; ``classes`` names the style of each column ("num", "barcell", "label"), by default label then num."""
    names = list(classes) or ["label", *["num"] * (len(head) - 1)]
    top = "".join(f"<th scope='col' class='{c}'>{escape(h)}</th>" for h, c in zip(head, names, strict=True))
    body = []
    for row in rows:
        cells = [f"<th scope='row' class='{names[0]}'>{html(row[0])}</th>"]
        cells += [f"<td class='{c}'>{html(v)}</td>" for v, c in zip(row[1:], names[1:], strict=True)]
        body.append(f"<tr>{''.join(cells)}</tr>")
    return (
        f"<div class='scroll'><table><caption>{escape(caption)}</caption><thead><tr>{top}</tr></thead>"
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
    return f"<section><h2>{escape(title)}</h2>{inner}</section>" if inner else ""


def paragraph(text: str, kind: str = "") -> str:
    """One paragraph of plain text."""
    return f"<p class='{kind}'>{escape(text)}</p>" if kind else f"<p>{escape(text)}</p>"


def page(title: str, body: str) -> str:
    """The whole document: no script, no font, no link that leaves the file."""
    return (
        "<!DOCTYPE html>\n<html lang='en'><head><meta charset='utf-8'>"
        "<meta name='viewport' content='width=device-width, initial-scale=1'>"
        "<meta name='color-scheme' content='light dark'>"
        f"<title>{escape(title)}</title><style>{STYLE}</style></head>\n<body><main>{body}</main></body></html>\n"
    )


STYLE = """
:root{--paper:#fbfaf7;--card:#fff;--ink:#1c2126;--soft:#5c6670;--rule:#dcdcd4;--plain:#2f7a8c;--bind:#b4541a;
--up:#2f7a8c;--down:#b4541a;--track:#ecebe4;--good:#2c6e3f;--bad:#a33127;--l0:#2f7a8c;--l1:#b4541a;--l2:#6b5b95;--l3:#6a7b2c}
@media (prefers-color-scheme:dark){:root{--paper:#15181b;--card:#1d2125;--ink:#e6e4de;--soft:#9aa4ad;--rule:#343a40;
--plain:#5fb0c4;--bind:#e08a4c;--up:#5fb0c4;--down:#e08a4c;--track:#2a2f34;--good:#7cc48f;--bad:#ea8277;
--l0:#5fb0c4;--l1:#e08a4c;--l2:#a996d6;--l3:#b3c463}}
*{box-sizing:border-box}
body{margin:0;background:var(--paper);color:var(--ink);
font:16px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif}
main{max-width:66rem;margin:0 auto;padding:1.5rem 1rem 4rem}
h1{font-size:1.6rem;line-height:1.2;margin:0 0 .25rem}
h2{font-size:1.15rem;margin:0 0 .5rem;padding-top:.25rem}
h3{font-size:1rem;margin:1rem 0 .25rem}
p{margin:.25rem 0 .75rem;max-width:46rem}
.soft,small,caption{color:var(--soft)}
section{border-top:1px solid var(--rule);margin-top:1.75rem;padding-top:.75rem}
.badge{display:inline-block;border:1px solid currentColor;border-radius:1rem;padding:0 .7rem;
font-size:.9rem;font-weight:600}
.good{color:var(--good)}.bad{color:var(--bad)}.bind{color:var(--bind)}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(11.5rem,1fr));gap:.75rem;margin:1rem 0}
.tile{background:var(--card);border:1px solid var(--rule);border-radius:.4rem;padding:.6rem .8rem;min-width:0}
.tile dt{color:var(--soft);font-size:.85rem}
.tile dd{margin:0;font-size:1.25rem;font-variant-numeric:tabular-nums;overflow-wrap:anywhere}
.tile small{display:block;font-size:.8rem;line-height:1.35}
.scroll{overflow-x:auto;margin:.5rem 0 1rem}
table{border-collapse:collapse;width:100%;font-size:.92rem}
caption{text-align:left;padding-bottom:.35rem;font-size:.88rem}
th,td{text-align:left;padding:.28rem .5rem;border-bottom:1px solid var(--rule);vertical-align:middle;font-weight:400}
thead th{color:var(--soft);font-size:.82rem;vertical-align:bottom}
th:first-child,td:first-child{padding-left:0}
.num{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
.barcell{width:24%;min-width:4.5rem}
.label{overflow-wrap:break-word;width:45%;min-width:8.5rem}
.label small{margin-left:.3rem}
.hash{font-family:ui-monospace,Menlo,Consolas,monospace;font-size:.78rem;overflow-wrap:anywhere;white-space:normal}
.barbox{display:block;width:100%;height:.75rem}
.chart{display:block;width:100%;max-width:32rem;height:auto;margin:.5rem 0}
.chart text{fill:var(--soft);font-size:11px;font-family:inherit}
rect.track{fill:var(--track)}rect.plain{fill:var(--plain)}rect.binding{fill:var(--bind)}rect.up{fill:var(--up)}
rect.down{fill:var(--down)}rect.mark{fill:var(--ink)}
.axis,.grid{stroke:var(--soft);stroke-width:1}.grid{stroke:var(--rule)}.dashed{stroke-dasharray:4 3}
.line{fill:none;stroke-width:1.6}
.line0{stroke:var(--l0)}.line1{stroke:var(--l1)}.line2{stroke:var(--l2)}.line3{stroke:var(--l3)}
.swatch{display:inline-block;width:.8rem;height:.25rem;margin-right:.35rem;vertical-align:middle}
.swatch0{background:var(--l0)}.swatch1{background:var(--l1)}.swatch2{background:var(--l2)}.swatch3{background:var(--l3)}
.legend .key{margin-right:1rem;font-size:.88rem;white-space:nowrap}
.pair{display:grid;grid-template-columns:repeat(auto-fit,minmax(20rem,1fr));gap:0 2rem}
@media (max-width:34rem){.wrap{white-space:normal}
.pair{grid-template-columns:1fr}.barcell{min-width:3.5rem;width:18%}
th,td{padding:.28rem .3rem}.label{min-width:6.5rem}}
pre{overflow-x:auto;font-size:.82rem;background:var(--card);border:1px solid var(--rule);
border-radius:.4rem;padding:.6rem .8rem}
summary{cursor:pointer}
@media print{section{break-inside:avoid}}
"""
