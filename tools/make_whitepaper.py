"""The white paper as a PDF, from the page of the documentation: ``make whitepaper`` writes build/whitepaper.pdf.

    python tools/make_whitepaper.py docs/whitepaper.md build/whitepaper.pdf

Two runs of one version write the same text; nothing is fetched. Links to other pages of the documentation stay words.
"""

from __future__ import annotations

import os
import re
import sys
from importlib.metadata import version
from pathlib import Path

STYLE = """
@page {
  size: A4; margin: 22mm 22mm 24mm;
  @bottom-left { content: FOOT; font: 8pt sans-serif; color: #666 }
  @bottom-right { content: counter(page) " / " counter(pages); font: 8pt sans-serif; color: #666 }
}
html { font: 10pt/1.45 "Source Serif 4", "Noto Serif", "DejaVu Serif", serif; color: #1a1a1a }
h1, h2, h3, table, th { font-family: "Source Sans 3", "Noto Sans", "DejaVu Sans", sans-serif }
h1 { font-size: 20pt; line-height: 1.2; margin: 0 0 6mm } h2 { font-size: 13pt; margin: 8mm 0 2mm }
h1, h2, h3 { break-after: avoid } p, li { orphans: 3; widows: 3 } p { margin: 0 0 2.5mm }
pre { font: 8.5pt/1.4 "DejaVu Sans Mono", monospace; background: #f4f3ef; padding: 2.5mm 3mm; white-space: pre-wrap;
  break-inside: avoid }
code { font: 8.5pt "DejaVu Sans Mono", monospace } pre code { font: inherit }
table { border-collapse: collapse; width: 100%; font-size: 8pt; margin: 3mm 0; break-inside: avoid }
th, td { border-bottom: 0.3pt solid #bbb; padding: 1.2mm 1.5mm; text-align: left; vertical-align: top }
th { border-bottom-color: #333 } a { color: #1f5f73; text-decoration: none }
"""


def text_of(page: Path) -> str:
    """HTML of a page of the documentation, by CommonMark with tables."""
    from markdown_it import MarkdownIt

    body: str = MarkdownIt("commonmark").enable("table").render(page.read_text(encoding="utf-8"))
    # A paper that is handed on has no site around it.
    body = re.sub(r'<a href="(?!https?:)[^"]*">(.*?)</a>', r"\1", body, flags=re.DOTALL)
    # Where each number comes from is written for the test, not for readers.
    return re.sub(r"<!--.*?-->", "", body, flags=re.DOTALL)


def write(page: Path, target: Path) -> None:
    """Write ``page`` as a PDF to ``target``."""
    from weasyprint import HTML

    foot = f"kantor {version('kantor')}"
    body = text_of(page)
    found = re.search(r"<h1>(.*?)</h1>", body, re.DOTALL)
    title = re.sub(r"<[^>]*>", "", found[1]) if found else page.stem
    head = f"<meta charset='utf-8'><title>{title}</title><style>{STYLE.replace('FOOT', repr(foot))}</style>"
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_suffix(".part")
    HTML(string=f"<html lang='en'><head>{head}</head><body>{body}</body></html>", base_url=None).write_pdf(part)
    os.replace(part, target)
    print(f"wrote {target}")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    write(Path(sys.argv[1]), Path(sys.argv[2]))
