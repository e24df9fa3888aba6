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
