"""The documentation site: ``make docs``. Warnings are errors, tutorials run while it is built, nothing is fetched."""

from __future__ import annotations

import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "tools"))

import kantor  # noqa: E402

project = "kantor"
author = "the kantor contributors"
copyright = author
version = release = kantor.__version__
extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx.ext.mathjax"]
exclude_patterns = ["**.ipynb_checkpoints"]
html_theme = "furo"
html_title = f"kantor {release}"
html_show_sourcelink = False
html_copy_source = False
# Formulas need a script that the site does not ship: they are shown as they are written.
mathjax_path = ""
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


def setup(app: object) -> None:
    """Pages that are made from the package and from the measured results, before anything is read."""
    import make_docs

    make_docs.write(HERE)
