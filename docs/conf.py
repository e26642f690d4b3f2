"""How Sphinx builds these pages: ``make docs``. Nothing comes from the network, at build time or when a page is read."""

import hashlib
import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "docs" / "tools")]
paths = (str(ROOT), str(ROOT / "docs" / "course"), os.environ.get("PYTHONPATH"))  # (for the notebooks' kernels)
os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, paths))
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from jupyter_cache import get_cache  # noqa: E402

import tinygrad_hw  # noqa: E402


def fingerprint() -> str:
    """Return a name for the code that the notebooks run, and the figures that they read: what others gave is not used again."""
    files = sorted(file for folder in ("tinygrad_hw", "examples", "docs/course") for file in (ROOT / folder).rglob("*.py"))
    files += sorted((ROOT / "benchmarks" / "results").glob("*.json"))
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()[:16]


project = "tinygrad_hw"
author = "the authors of tinygrad_hw"
copyright = author
version = release = tinygrad_hw.__version__

extensions = ["sphinx.ext.autodoc", "sphinx.ext.autosummary", "numpydoc", "myst_nb", "mathml", "rules_table", "reference"]
exclude_patterns = ["tools", "_templates"]
nitpicky = True
nitpick_ignore_regex = [(r"py:.*", r"(?!tinygrad_hw).*")]  # names of NumPy, SciPy and Python are not looked up: that would need the network

# Notebooks
nb_execution_mode = "cache"
nb_execution_cache_path = str(ROOT / "out" / "docs.cache" / fingerprint())
Path(nb_execution_cache_path).mkdir(parents=True, exist_ok=True)
get_cache(nb_execution_cache_path).db.dispose()  # (made here, since two workers that start at once would both make it)
nb_execution_in_temp = True
nb_execution_raise_on_error = True
nb_execution_timeout = 180
nb_merge_streams = True
nb_render_markdown_format = "gfm"
nb_ipywidgets_js = {}
myst_enable_extensions = ["dollarmath", "colon_fence", "deflist", "substitution"]
myst_heading_anchors = 3

# Reference
autodoc_typehints = "none"
autodoc_preserve_defaults = True
autodoc_member_order = "bysource"
autosummary_generate = True
templates_path = ["_templates"]
numpydoc_show_class_members = False
numpydoc_class_members_toctree = False

# Pages
html_theme = "pydata_sphinx_theme"
html_title = "tinygrad_hw"
html_static_path = ["_static"]
html_css_files = ["pages.css"]
html_math_renderer = "mathml"
html_show_sourcelink = False
html_show_copyright = html_show_sphinx = False
html_context = {"default_mode": "auto"}
html_sidebars = {page: [] for page in ("index", "start", "rules", "sources/**")}
html_theme_options = {
    "logo": {"text": "tinygrad_hw"},
    "navbar_end": [],  # (light or dark as the reader's system is: the drawings follow that too)
    "footer_start": [],
    "footer_end": [],
    "header_links_before_dropdown": 6,
    "secondary_sidebar_items": ["page-toc"],
}
