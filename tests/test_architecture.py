"""The house keeps its order: a place imports only from places above it, and importing the package is light."""

import ast
import re
import subprocess
import sys
from collections import Counter
from functools import cache
from pathlib import Path

import pytest
from radon.complexity import cc_visit

import tinygrad_hw

ROOT = Path(tinygrad_hw.__file__).parent
ORDER = [
    "errors",
    "trees",
    "scopes",
    "rules",
    "graph",
    "live",
    "entries",
    "naming",
    "backward",
    "tensor",
    "operators",
    "views",
    "batching",
    "transforms",
    "loops",
    "compiler",
    "nn",
    "optim",
    "data",
    "equations",
    "drawing",
    "array_api",
    "manual",
    "testing",
    "__init__",
]
FILES = sorted(ROOT.rglob("*.py"))
HARD = {"numpy", "tinygrad_hw", *sys.stdlib_module_names}


def module_of(path):
    """Return a file's module as a path inside the package: ('rules', 'table'), ('tensor',), ('__init__',)."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return parts if parts == ("__init__",) or parts[-1] != "__init__" else parts[:-1]


@cache
def imports(path):
    """Return every import of a file: the modules that it may mean, longest first, and whether it stands inside a function."""
    package = ("tinygrad_hw", *path.relative_to(ROOT).parent.parts)
    found, waiting = [], [(ast.parse(path.read_text()), False)]
    while waiting:
        node, inside = waiting.pop()
        inside |= isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
        waiting += [(child, inside) for child in ast.iter_child_nodes(node) if not isinstance(child, ast.expr)]
        if isinstance(node, ast.Import):
            found += [(tuple(alias.name.split(".")), inside) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            base += tuple(node.module.split(".")) if node.module else ()
            found += [((*base, alias.name), inside) for alias in node.names]
    return found


def imports_by_a_string(path):
    """Return the names of the functions that a file calls to import what a string says."""
    text, wanted = path.read_text(), {"import_module", "__import__"}
    if not any(name in text for name in wanted):
        return []
    names = [getattr(node, "id", getattr(node, "attr", None)) for node in ast.walk(ast.parse(text))]
    return [name for name in names if name in wanted]


def place(module):
    return ORDER.index(module[0])


SLOW = {"difflib", "html", "json", "shutil", "zipfile"}  # of the standard library: milliseconds to import, for hints and for saving


@cache
def own_module(name):
    """Return the module of the package that an imported name stands for, or None if it is not of the package."""
    if name[0] != "tinygrad_hw":
        return None
    for length in range(len(name), 1, -1):
        if (ROOT.joinpath(*name[1:length]).with_suffix(".py")).exists() or ROOT.joinpath(*name[1:length], "__init__.py").exists():
            return name[1:length]
    return ("__init__",)


def test_a_file_stands_in_a_known_place_and_imports_only_from_places_above_it():
    for path in FILES:
        here = module_of(path)
        assert here[0] in ORDER, f"{path.name} stands in no place of the house"
        for name, _ in imports(path):
            there = own_module(name)
            if there is not None and there[0] != here[0]:
                assert place(there) < place(here), f"{'.'.join(here)} imports {'.'.join(name)}, which stands below it"


def test_only_an_optional_dependency_or_a_slow_and_seldom_needed_one_is_imported_inside_a_function():
    for path in FILES:
        for name, inside in imports(path):
            assert not inside or name[0] not in HARD - SLOW, f"{path.name} imports {'.'.join(name)} inside a function"


def test_only_the_table_of_what_is_loaded_when_first_used_and_the_rows_of_scipys_functions_are_imported_by_a_string():
    by_a_string = {path.name: found for path in FILES if (found := imports_by_a_string(path))}
    assert by_a_string == {"__init__.py": ["import_module"], "tensor.py": ["import_module"]}
    for name, module in tinygrad_hw.LATER.items():
        assert own_module(("tinygrad_hw", module)) == (module,), f"{name} is said to be in {module}, which is no module of the package"


@pytest.mark.parametrize(
    "code",
    [
        "import importlib\nimportlib.import_module('.functional')",
        "__import__('os')",
        "from importlib import import_module\nimport_module(x)",
    ],
)
def test_an_import_by_a_string_is_seen(tmp_path, code):
    (tmp_path / "module.py").write_text(code)
    assert len(imports_by_a_string(tmp_path / "module.py")) == 1


def test_the_rules_know_numpy_only_and_those_of_scipys_functions_scipy():
    for path in ROOT.joinpath("rules").glob("*.py"):
        for name, _ in imports(path):
            scipys = path.name == "special.py" and (name[0] == "scipy" or name[:2] == ("tinygrad_hw", "errors"))
            assert scipys or name[0] in {"numpy", *sys.stdlib_module_names} or name[:2] == ("tinygrad_hw", "rules"), f"{path.name}: {name}"


@pytest.mark.parametrize(
    "name, known",
    [
        ("graph", set()),
        ("errors", set()),
        ("backward", {"entries", "graph", "live", "rules"}),
        ("tensor", {"errors", "graph", "rules", "backward", "scopes", "trees"}),
    ],
)
def test_the_core_knows_no_more_than_it_needs(name, known):
    found = {own_module(full)[0] for full, _ in imports(ROOT / f"{name}.py") if full[0] == "tinygrad_hw"}
    assert found <= known


def test_no_two_modules_import_each_other():
    edges = {module_of(path): {own_module(name) for name, _ in imports(path)} - {None, module_of(path)} for path in FILES}
    while free := [module for module, needs in edges.items() if not needs & edges.keys()]:
        for module in free:
            del edges[module]
    assert edges == {}


# The size of the house, and what CONTRIBUTING says of it
CONTRIBUTING = ROOT.parent / "CONTRIBUTING.md"


def lines_of(path, name):
    """Return how many lines a file's docstring or a definition in it takes, with its decorators."""
    body = ast.parse(path.read_text()).body
    if name == "the docstring":
        return body[0].end_lineno
    for part in name.split("."):
        (found,) = [node for node in body if getattr(node, "name", None) == part]
        body = found.body
    return found.end_lineno - min(node.lineno for node in [found, *found.decorator_list]) + 1


def lines_to_row(path, name):
    """Return how many lines a file of the table takes up to the row of a function."""
    (row,) = [node for node in ast.parse(path.read_text()).body if ast.unparse(node).startswith(f"rule({name}, ")]
    return row.end_lineno


def reading():
    """Return each entry of the list that CONTRIBUTING gives a newcomer to read, with the number of lines that it is."""
    (section,) = re.findall(r"^To explain backward.*?(?=^\|)", CONTRIBUTING.read_text(), re.MULTILINE | re.DOTALL)
    counts = {}
    for entry in re.findall(r"^\d\. ([^:]*)", section, re.MULTILINE):
        parts, file, row = re.fullmatch(r"(?:(.*) of )?`([\w/]+\.py)`(?: to `([\w.]+)`)?", entry).groups()
        path = ROOT / file
        if parts:
            counts[entry] = sum(lines_of(path, name.strip("`")) for name in re.split(", | and ", parts))
        else:
            counts[entry] = lines_to_row(path, row) if row else len(path.read_text().splitlines())
    return counts


def test_a_newcomer_reads_at_most_430_lines_to_explain_backward():
    counts = reading()
    assert len(counts) == 5
    assert sum(counts.values()) <= 430, counts


def test_contributing_names_every_place_of_the_house_in_order_with_its_tests():
    rows = re.findall(r"^\| `(\w+)(?:\.py|/)` \| .* \| (.*) \|$", CONTRIBUTING.read_text(), re.MULTILINE)
    assert [place for place, _ in rows] == ORDER[:-1]
    for _, tests in rows:
        for name in re.findall(r"`(test_\w+\.py)`", tests):
            assert list(Path(__file__).parent.glob(re.sub("TOPIC|PART", "*", name))), name


MOST_LINES = 35_100  # (7,400 of them are docstrings)


def test_the_package_has_no_more_lines_than_it_may(record_property):
    rooms = Counter()
    for path in FILES:
        rooms[module_of(path)[0]] += len(path.read_text().splitlines())
    record_property("lines", ", ".join(f"{room} {rooms[room]}" for room in ORDER) + f"; all {rooms.total()}")
    assert rooms.total() <= MOST_LINES, rooms


def test_no_function_has_a_cyclomatic_complexity_over_twenty():
    blocks = [(path.stem, block) for path in FILES for block in cc_visit(path.read_text())]
    assert not [f"{stem}.{block.name}: {block.complexity}" for stem, block in blocks if block.complexity > 20]


def python(code):
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()


def test_importing_the_package_imports_no_optional_or_slow_dependency():
    loaded = python("import tinygrad_hw, sys; print(*{name.split('.')[0] for name in sys.modules})")
    assert not {"matplotlib", "hypothesis", "graphviz", "pygraphviz", "numba", "scipy", "joblib", "tqdm", "pytest", "IPython"} & set(loaded)


def test_the_public_names_are_there():
    for name in tinygrad_hw.__all__:
        assert hasattr(tinygrad_hw, name), name
    assert {"Tensor", "no_grad", "nn", "optim", "data", "testing", "compile", "draw", "explain", "vmap"} <= set(tinygrad_hw.__all__)


def test_importing_replaces_nothing_in_numpy():
    code = "import numpy as np; before, errors = dict(vars(np)), np.geterr(); import tinygrad_hw"
    assert python(f"{code}; print(all(vars(np)[name] is value for name, value in before.items()), np.geterr() == errors)") == [
        "True",
        "True",
    ]
