"""Sphinx reads this file; `make docs` builds with warnings as errors."""

project = "ipckit"
author = "the ipckit authors"
copyright = "the ipckit authors"

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.intersphinx"]
intersphinx_mapping = {}
source_suffix = {".md": "markdown"}
exclude_patterns = ["_build"]
myst_enable_extensions = ["deflist"]
myst_heading_anchors = 3

autodoc_typehints = "signature"
autodoc_member_order = "bysource"

html_theme = "furo"
html_title = "ipckit"
html_static_path = ["_static"]


def keep_tables(app, what, name, thing, options, lines):
    """Show a docstring that aligns its columns by blanks as it stands."""
    if any("   " in line.strip() for line in lines):
        lines[:] = ["::", "", *(f"    {line}" for line in lines), ""]


def setup(app):
    app.connect("autodoc-process-docstring", keep_tables)
