"""Configuration of the site: ``make docs``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any
from weakref import WeakSet

from matplotlib.figure import Figure
from sphinx_gallery.scrapers import figure_rst

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE / "_extensions"))

from relax import __version__  # noqa: E402

project = "RELAX"
author = "The RELAX founders"
copyright = "The RELAX founders, Apache-2.0"
release = version = __version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.napoleon",
    "sphinx_gallery.gen_gallery",
    "mathml",
    "command_line",
]
templates_path = ["_templates"]
exclude_patterns = ["_build", "_extensions", "tutorials/GALLERY_HEADER.*", "**.ipynb", "**.py.md5", "**.codeobj.json"]
suppress_warnings = [
    "config.cache",  # the scraper below is a function
]

myst_enable_extensions = ["dollarmath", "colon_fence", "attrs_inline", "deflist"]
myst_heading_anchors = 3
myst_links_external_new_tab = False

autosummary_generate = True
autodoc_typehints = "none"
autodoc_member_order = "bysource"
napoleon_use_ivar = True
napoleon_custom_sections = [("Sources", "notes_style")]
add_module_names = False

math_renderer = html_math_renderer = "mathml"

html_theme = "pydata_sphinx_theme"
html_title = "RELAX"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_sidebars = {"index": [], "start": []}
html_show_sourcelink = False
html_copy_source = False
html_context = {"default_mode": "auto"}
html_theme_options = {
    "show_toc_level": 2,
    "navigation_with_keys": False,
    "navbar_align": "left",
    "header_links_before_dropdown": 7,
    "secondary_sidebar_items": {"**": ["page-toc"], "explanation/positioning": []},
    "footer_start": ["copyright"],
    "footer_end": [],
    "show_prev_next": True,
}


def with_pages_that_exist(app: Any, name: str, source: list[str]) -> None:
    """Drop the patterns of tables of contents that match no page: pages that are not written yet have their places."""
    folder = (HERE / name).parent
    lines = source[0].splitlines(keepends=True)
    listed = {(HERE / name).stem, *(line.split("<")[-1].strip().rstrip(">") for line in lines)}
    toctree = False
    kept = []
    for line in lines:
        toctree = (toctree or "{toctree}" in line) and line.strip() != "```"
        pattern = line.strip()
        if not toctree or not pattern.endswith("*") or {page.stem for page in folder.glob(f"{pattern}.md")} - listed:
            kept.append(line)
    source[0] = "".join(kept)


def without_a_type(app: Any, what: str, name: str, thing: Any, options: Any, lines: list[str]) -> None:
    """Keep the first line of a property whole: what stands before a colon is no type there."""
    if what == "property" and lines:
        lines[0] = lines[0].replace(": ", " – ")


def setup(app: Any) -> None:
    """Connect the hooks."""
    app.connect("source-read", with_pages_that_exist)
    app.connect("autodoc-process-docstring", without_a_type, priority=400)


_seen: WeakSet[Figure] = WeakSet()


def figures(block: tuple[Any, ...], block_vars: dict[str, Any], gallery_conf: dict[str, Any]) -> str:
    """Save the figures that a block of a tutorial has made: those that its names are bound to."""
    paths = []
    for value in list(block_vars["example_globals"].values()):
        if isinstance(value, Figure) and value not in _seen:
            _seen.add(value)
            paths.append(next(block_vars["image_path_iterator"]))
            value.savefig(paths[-1], dpi=100)
    return figure_rst(paths, gallery_conf["src_dir"])


sphinx_gallery_conf = {
    "examples_dirs": "../examples/tutorials",
    "gallery_dirs": "tutorials",
    "filename_pattern": r"/\d+_",
    "within_subsection_order": "FileNameSortKey",
    "image_scrapers": (figures,),
    "capture_repr": ("_repr_html_", "__repr__"),
    "ignore_repr_types": r"Figure|Encoder|Text|Axes|Generator",
    "download_all_examples": False,
    "show_signature": False,
    "remove_config_comments": True,
    "min_reported_time": 1,
    "abort_on_example_error": True,
    "only_warn_on_example_error": False,
    "plot_gallery": True,
    "write_computation_times": False,
    "copyfile_regex": r"",
}
