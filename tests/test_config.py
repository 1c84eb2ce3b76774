"""The package's front door: public names, lazy imports, version, show_config."""

from __future__ import annotations

import ast
import importlib
import importlib.metadata
import json
import subprocess
import sys
from pathlib import Path

import pytest

import kantor as kt
from kantor.cli.console import plain

PACKAGE = Path(kt.__file__).parent
SURFACE = [
    "solve_leontief",
    "values",
    "check_productive",
    "LinearProgram",
    "SeparableTerms",
    "TermKind",
    "read_mps",
    "solve_lp",
    "verify_lp",
    "Status",
    "Solution",
    "Economy",
    "load_economy",
    "expand",
    "Plan",
    "MaxScale",
    "Harmony",
    "LogUtility",
    "PowerUtility",
    "MinimiseUse",
    "Limit",
    "load_plan",
    "verify_plan",
    "show_config",
    "errors",
]


@pytest.mark.parametrize("name", SURFACE)
def test_every_public_name_can_be_imported(name: str) -> None:
    assert name in kt.__all__
    assert getattr(kt, name) is not None


def test_type_checkers_and_python_see_the_same_names() -> None:
    """The imports under TYPE_CHECKING and the table of lazy imports are two lists of the same thing."""
    tree = ast.parse((PACKAGE / "__init__.py").read_text())
    guarded = next(node for node in tree.body if isinstance(node, ast.If))
    seen = {
        alias.name: node.module
        for node in guarded.body
        if isinstance(node, ast.ImportFrom) and node.module is not None
        for alias in node.names
    }
    assert seen == kt._HOME


def test_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        kt.nonsense  # noqa: B018


def test_import_and_help_load_no_numerics() -> None:
    code = (
        "import sys, kantor, kantor.cli; kantor.__version__;"
        "print([m for m in ('numpy', 'scipy', 'pandas', 'numba', 'pydantic') if m in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


def test_version_is_that_of_the_metadata() -> None:
    try:
        expected = importlib.metadata.version("kantor")
    except importlib.metadata.PackageNotFoundError:
        expected = "0+uninstalled"
    assert kt.__version__ == expected


def test_show_config_says_what_is_there_and_why_not() -> None:
    config = kt.show_config()
    assert config["packages"]["numpy"] == importlib.import_module("numpy").__version__
    assert set(config["backends"]) == {"reference", "numba", "native", "cuda", "cupy"}
    for said in config["backends"].values():
        assert said.startswith(("yes", "no: "))
        assert len(said) > 4
    assert config["backends"][config["default_backend"]].startswith("yes")
    assert config["threads"]["cores_usable"] >= 1
    for part in ("native", "cuda"):
        assert config[part]["available"] or config[part]["reason"]
    json.dumps(plain(config), allow_nan=False)


def test_show_config_without_a_data_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("KANTOR_DATA", str(tmp_path / "nowhere"))
    config = kt.show_config()
    assert config["data_folder"].startswith("none")
    assert "nowhere" in config["data_folder"]
    assert config["data_sets"] == []
