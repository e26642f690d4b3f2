"""What all tests share: hypothesis runs the same examples every time, and the laws' assertions explain themselves."""

import gc
from collections import Counter

import pytest
from browser import Browser, require_browser
from hypothesis import HealthCheck, settings

pytest.register_assert_rewrite("laws")

settings.register_profile("suite", max_examples=60, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("suite")

CHECKED = {
    "value_is_that_of_numpy": "values are NumPy's",
    "derivative_is_the_numeric_one": "order 1, reverse: agree with the complex step or Richardson's derivative",
    "adjoint_identity_holds": "order 1, reverse: ⟨g, J u⟩ = ⟨Jᵀ g, u⟩",
    "order_two_is_the_numeric_one": "order 2, and forward (the derivative of Jᵀ g by g): agree with numeric derivatives",
    "gradient_is_linear_in_g": "linear in the cotangent",
    "compiled_it_gives_the_same": "compiled: the same values and gradients, or an error that says why not",
}


LONG = (
    "report",
    "examples",
    "testing_grade_others",
    "testing_grade",
    "playground",
    "drawing_page",
    "course",
    "compiler_native",
    "equations",
)


def pytest_configure(config):
    config.addinivalue_line("markers", "browser: opens a page in Chromium; `make browser` runs these alone")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """Mark the tests that use the browser, and put the files that take longest first, lest one process is left with a long one."""
    for item in items:
        if "browser" in getattr(item, "fixturenames", ()):
            item.add_marker("browser")
    items.sort(key=lambda item: LONG.index(name) if (name := item.path.stem.removeprefix("test_")) in LONG else len(LONG))


@pytest.fixture(scope="session")
def chromium():
    """One browser for all pages: it takes a second to start, and one to end."""
    require_browser()
    with Browser() as opened:
        yield opened


@pytest.fixture
def browser(chromium):
    """Give the browser as it is when it has just started: in the light, with scripts, on a screen."""
    yield chromium
    chromium.emulate()


def pytest_collection_finish():
    """Take what was collected out of the garbage collector's sight, else it is searched at each collection."""
    gc.collect()
    gc.freeze()


def pytest_terminal_summary(terminalreporter):
    """Print the lines of the package by room, and how many cases of the table's rows were checked by each law, real and complex."""
    found = [(report.nodeid, *pair) for report in terminalreporter.stats.get("passed", []) for pair in report.user_properties]
    for _, key, value in found:
        if key == "lines":
            terminalreporter.write_line(f"lines of the package: {value}")
    laws = Counter((law, "complex" in nodeid.split("::")[0]) for nodeid, key, law in found if key == "law")
    if laws:
        terminalreporter.write_sep("-", "rules checked, cases: real + complex")
        for law, meaning in CHECKED.items():
            terminalreporter.write_line(f"{laws[law, False]:6} + {laws[law, True]:<4} {meaning}")
