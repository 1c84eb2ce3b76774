"""The documentation site: ``make docs``. Warnings are errors, tutorials run while it is built, nothing is fetched."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "tools"))

import kantor  # noqa: E402

project = "kantor"
author = "the kantor contributors"
copyright = author
version = release = kantor.__version__
extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["**.ipynb_checkpoints"]
html_theme = "furo"
html_title = f"kantor {release}"
html_show_sourcelink = False
html_copy_source = False
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3
nb_execution_mode = "force"
nb_execution_timeout = 240
nb_execution_raise_on_error = True
nb_execution_show_tb = True
autodoc_typehints = "none"
autodoc_member_order = "bysource"
napoleon_custom_sections = [("Errors", "Raises")]
napoleon_use_ivar = True
suppress_warnings = ["config.cache"]


def tidy(app: Any, what: str, name: str, item: Any, options: Any, lines: list[str]) -> None:
    """Docstrings as they are written here, for readers of the source, in the form that docutils reads.

    ``name : what it is`` outside a section becomes a field; text after a section ends it; ``|x|`` is no substitution.
    """
    out: list[str] = []
    inside = False
    for i, line in enumerate(lines):
        following = lines[i + 1] if i + 1 < len(lines) else ""
        entry = re.match(r"([\w`*][\w`*, ]*) : (.*)", line)
        if line.strip() and following.startswith("---"):
            inside = True
        elif inside and line[:1].strip() and not entry and (i == 0 or not lines[i - 1].strip()):
            inside = False
            out.append("")
        if entry and not inside:
            if out and out[-1].strip() and not out[-1].startswith((":", " ")):
                out.append("")
            line = f":{entry[1]}: {entry[2]}"
        if not line.lstrip().startswith((">>>", "...")):
            parts = line.split("``")
            parts[::2] = [part.replace("|", "\\|") for part in parts[::2]]
            line = "``".join(parts)
        out.append(line)
    lines[:] = out


def setup(app: Any) -> None:
    """Pages that are made from the package and from the measured results, before anything is read."""
    import make_docs

    make_docs.write(HERE)
    app.connect("autodoc-process-docstring", tidy, priority=400)
