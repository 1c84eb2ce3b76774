"""Check the links of the built site: every one inside it leads to a page and a place that exist.

    python tools/check_links.py build/docs

Links to elsewhere are counted and not followed: a build needs no network.
"""

from __future__ import annotations

import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit


class _Page(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.places: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.places |= {found[key] or "" for key in ("id", "name") if key in found}
        link = found.get("href" if tag in ("a", "link") else "src")
        if link and not (tag == "a" and "javascript:" in link):
            self.links.append(link)


def broken(folder: Path) -> tuple[list[str], int]:
    """(what is broken, how many links lead elsewhere)."""
    pages = {path.resolve(): _Page(path.read_text(encoding="utf-8")) for path in sorted(folder.rglob("*.html"))}
    found, elsewhere = [], 0
    for path, page in pages.items():
        for link in page.links:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                elsewhere += 1
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            if not target.is_file():
                found.append(f"{path.relative_to(folder.resolve())}: {link} leads nowhere")
            elif parts.fragment and target in pages and unquote(parts.fragment) not in pages[target].places:
                found.append(f"{path.relative_to(folder.resolve())}: {link} has no such place")
    return found, elsewhere


if __name__ == "__main__":
    wrong, outside = broken(Path(sys.argv[1]).resolve())
    print("\n".join(wrong) if wrong else f"all links inside the site hold; {outside} lead elsewhere")
    sys.exit(bool(wrong))
