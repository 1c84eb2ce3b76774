"""A headless Chromium for tests of what a person sees; tests skip where there is none, with the reason."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

# Without these flags Chromium asks its makers' machines for updates; a test must ask nobody for anything.
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@contextmanager
def chromium() -> Iterator[Any]:
    """The browser; pytest.skip where Playwright or Chromium is missing."""
    api = pytest.importorskip("playwright.sync_api", reason="needs Playwright (pip install 'kantor[test]')")
    names = ("chromium", "chromium-browser", "google-chrome")
    path = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, names)), None)
    if path is None:
        pytest.skip("needs Chromium (Debian: apt-get install chromium), or its path in $CHROMIUM")
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        try:
            yield browser
        finally:
            browser.close()


class Seen:
    """A page opened from a file, with every error it raised and every request it made."""

    def __init__(self, browser: Any, path: Path, *, width: int = 1280, **options: Any) -> None:
        self.errors: list[str] = []
        self.requests: list[str] = []
        self.page = browser.new_page(viewport={"width": width, "height": 900}, **options)
        self.page.on("console", lambda message: self.errors.append(f"{message.type}: {message.text}"))
        self.page.on("pageerror", lambda error: self.errors.append(f"error: {error}"))
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.on("dialog", lambda dialog: (self.errors.append(f"dialog: {dialog.message}"), dialog.dismiss()))
        self.page.goto(path.resolve().as_uri())

    def column(self, table: str, number: int) -> list[str]:
        """The text of one column of a table, as it stands there now."""
        cells = self.page.locator(f"{table} tbody tr > :nth-child({number})")
        return [text.strip() for text in cells.all_inner_texts()]

    def overflow(self) -> int:
        """By how many pixels the page is wider than the window."""
        return int(self.page.evaluate("document.documentElement.scrollWidth - innerWidth"))
