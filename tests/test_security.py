"""What SECURITY.md promises, read from the source: nothing that is read is run, and no connection is opened."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import kantor

SOURCES = sorted(Path(kantor.__file__).parent.rglob("*.py"))
MODULES = {"pickle", "cPickle", "marshal", "shelve", "dill", "joblib", "socket", "urllib.request", "http", "ftplib",
           "requests", "httpx", "urllib3", "smtplib", "telnetlib"}  # fmt: skip
CALLS = {"eval", "exec", "system", "popen"}


def offences(text: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(text)):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            names = [node.module or "", *(f"{node.module}.{alias.name}" for alias in node.names)]
        yield from (f"imports {name}" for name in names if name in MODULES or name.split(".")[0] in MODULES)
        if isinstance(node, ast.Call):
            called = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
            plain = isinstance(node.func, ast.Name) or getattr(getattr(node.func, "value", None), "id", "") == "os"
            if called in CALLS and plain:
                yield f"calls {called}"
            for word in node.keywords:
                if word.arg in ("shell", "allow_pickle") and getattr(word.value, "value", None) is True:
                    yield f"{called}({word.arg}=True)"


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: "/".join(path.parts[-2:]))
def test_nothing_is_run_or_fetched(path: Path) -> None:
    assert list(offences(path.read_text(encoding="utf-8"))) == []


def test_offences_are_seen() -> None:
    text = "import pickle\nfrom urllib.request import urlopen\neval('1')\nos.system('x')\nnp.load(f, allow_pickle=True)"
    assert len(list(offences(text))) >= 5
    assert list(offences("self.exec_('a')\nre.compile('x')\nfrom .pickle_free import load")) == []
