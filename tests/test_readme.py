"""The documents say what is so: README's blocks run and print what they say, named functions and keys exist."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pydantic
import pytest

from kantor.cli import app
from kantor.planning import grammar

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "python" / "kantor"
README = (ROOT / "README.md").read_text(encoding="utf-8")
DOCUMENTS = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    ROOT / "CHANGELOG.md",
    *sorted((ROOT / "docs").rglob("*.md")),
]


def blocks(language: str, after: str) -> list[str]:
    """Fenced blocks of a language that follow a heading of README."""
    section = README.split(f"## {after}\n")[1].split("\n## ")[0]
    found = re.findall(r"^```(\w*)\n(.*?)^```$", section, flags=re.DOTALL | re.MULTILINE)
    return [text for name, text in found if name == language]


def agree(printed: str, stated: str) -> None:
    """Same words, and numbers equal to 1e-4: backends differ in the last digits."""
    for line, expected in zip(printed.splitlines(), stated.splitlines(), strict=True):
        if line.startswith(("work ", "certified ")):  # time and backend of the machine at hand; last digits of the gap
            assert line.split()[0] == expected.split()[0]
            continue
        got, wanted = line.split(), expected.split()
        assert len(got) == len(wanted), (line, expected)
        for a, b in zip(got, wanted, strict=True):
            try:
                assert float(a.replace(",", "")) == pytest.approx(float(b.replace(",", "")), rel=1e-4, abs=1e-9)
            except ValueError:
                assert a == b, (line, expected)


@pytest.mark.parametrize("section", ["In Python", "Several years, several regions"])
def test_python_block_prints_what_readme_says(tmp_path: Path, section: str) -> None:
    (code,), (stated,) = blocks("python", section), blocks("", section)
    assert len(code.splitlines()) <= 12
    run = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    agree(run.stdout.strip(), stated.strip())


@pytest.mark.parametrize("document", ["analysis", "data", "feedback"])
def test_document_prints_what_it_says(document: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The blocks of docs/analysis.md, docs/data.md and docs/feedback.md, one after another in one namespace."""
    if document == "data":
        for package in ("openpyxl", "xarray", "pymrio"):
            pytest.importorskip(package, reason="docs/data.md needs pip install 'kantor[io]'")
    text = (ROOT / "docs" / f"{document}.md").read_text(encoding="utf-8")
    pairs = re.findall(r"^```python\n(.*?)^```\n\n^```\n(.*?)^```$", text, flags=re.DOTALL | re.MULTILINE)
    assert len(pairs) == text.count("```python")
    names: dict[str, object] = {}
    for code, stated in pairs:
        exec(compile(code, f"docs/{document}.md", "exec"), names)
        agree(capsys.readouterr().out.rstrip(), stated.rstrip())


def test_commands_print_what_readme_says(tmp_path: Path) -> None:
    planned, verified = blocks("", "On the command line")
    kantor = [sys.executable, "-m", "kantor"]
    plan = [*kantor, "plan", "us_2012", "-o", "plan", "--report"]
    assert "`kantor plan us_2012 -o plan --report`" in README
    run = subprocess.run(plan, cwd=tmp_path, capture_output=True, text=True, check=True)
    agree(bare(run.stdout), bare(planned))
    run = subprocess.run([*kantor, "verify", "plan"], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert run.stdout.splitlines()[0] == verified.splitlines()[0]


def bare(text: str) -> str:
    """Text without rules and blank lines."""
    return "\n".join(line.strip() for line in text.splitlines() if line.strip(" ─"))


def test_table_of_commands_is_complete() -> None:
    listed = set(re.findall(r"^\| `kantor ([\w-]+)", README, flags=re.MULTILINE))
    assert listed == {command.name for command in app.registered_commands}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_named_functions_exist(document: Path) -> None:
    """`file.py:name` in a document is a function, class or constant defined in that file."""
    for file, name in re.findall(r"`([\w/]+\.(?:py|cpp|hpp|cu)):(\w+)`", document.read_text(encoding="utf-8")):
        path = next((folder / file for folder in (PACKAGE, ROOT / "csrc") if (folder / file).is_file()), None)
        assert path is not None, f"{document.name} names {file}, which does not exist"
        defined = rf"^\s*(?:def|class) {name}\b|^{name}\b.*=|^[\w:<>*& ]+ {name}\("
        assert re.search(defined, path.read_text(encoding="utf-8"), flags=re.MULTILINE), f"{file} defines no {name}"


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_named_files_exist(document: Path) -> None:
    text = document.read_text(encoding="utf-8")
    for name in re.findall(r"`((?:docs|examples|tests|benchmarks|csrc|python|tools)/[\w/.-]*)`", text):
        assert (ROOT / name).exists(), f"{document.name} names {name}"
    for name in re.findall(r"`((?:backends|planning|solvers|data|report|cli)/[\w/]+\.py)`", text):
        assert (PACKAGE / name).is_file(), f"{document.name} names {name}"


TABLES = {
    "Top level": grammar.Document,
    "`[economy]`": grammar.EconomyTable,
    "`[targets]`": grammar.TargetsTable,
    "`[objective]`": grammar.ObjectiveTable,
    "`[limits.NAME]`, or `NAME = ...` below `[limits]`": grammar.LimitTable,
    "`[[technique]]`, any number of times": grammar.TechniqueTable,
    "`[horizon]`": grammar.HorizonTable,
    "`[capital]`": grammar.CapitalTable,
    "`[storage]`": grammar.StorageTable,
    "`[regions]`": grammar.RegionsTable,
    "`[trade]`": grammar.TradeTable,
    "`[solve]`": grammar.SolveTable,
}


@pytest.mark.parametrize("heading", TABLES)
def test_scenario_document_lists_every_key_and_default(heading: str) -> None:
    text = (ROOT / "docs" / "scenario.md").read_text(encoding="utf-8")
    section = text.split(f"## {heading}\n")[1].split("\n## ")[0].split("| key |")[1].split("\n\n")[0]
    rows = dict(re.findall(r"^\| `(\w+)` \| [^|]* \| ([^|]*) \|", section, flags=re.MULTILINE))
    model: type[pydantic.BaseModel] = TABLES[heading]
    own = {
        name: field
        for name, field in model.model_fields.items()
        if heading != "Top level" or name in ("name", "description")
    }
    assert set(rows) == set(own)
    for name, field in own.items():
        if isinstance(field.default, int | float | str) and not isinstance(field.default, bool):
            stated = rows[name].strip().strip('`"')
            assert stated == str(field.default) or float(stated) == field.default, f"{heading} {name}: default {stated}"


def test_scenario_of_the_document_is_valid(tmp_path: Path) -> None:
    text = (ROOT / "docs" / "scenario.md").read_text(encoding="utf-8")
    from kantor.planning.scenario import parse_scenario

    for block in re.findall(r"^```toml\n(.*?)^```$", text, flags=re.DOTALL | re.MULTILINE):
        assert parse_scenario(block, tmp_path / "scenario.toml").document.economy.source


def test_shipped_scenarios_are_valid() -> None:
    from kantor.planning.scenario import load_scenario

    files = sorted((ROOT / "examples").glob("*.toml"))
    assert files
    for file in files:
        load_scenario(file)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_code_in_tables_does_not_break_them(document: Path) -> None:
    for line in document.read_text(encoding="utf-8").splitlines():
        if line.startswith("|"):
            for code in re.findall(r"`[^`]*`", line):
                assert "|" not in code, f"{document.name}: {line}"
