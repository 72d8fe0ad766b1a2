"""The house rules that a reader of one file cannot see: who imports whom, and what every module has."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path
from typing import Iterator

import pytest

import predicdiff

PACKAGE = Path(__file__).parent.parent / "predicdiff"

# rooms from the ground up: a module imports from the rows above its own, and from its own sub-package
LEVELS = (
    ("errors", "protocols", "_version"),
    ("units", "windows", "images", "evidence", "files", "bootstrap", "infills", "noise"),
    ("similarity", "overlays", "caffe_schema", "caffe_wire"),
    ("explanation", "journal", "colours", "registration", "caffe_weights"),
    ("caffe_format",),
    ("targets", "samplers", "nets"),
    ("plan", "deletion"),
    ("explain", "sensitivity", "like"),
    ("baselines",),
    ("methods",),
    ("plotting", "comparison"),
    ("compare", "comparison_sheet", "faithfulness", "randomisation"),
    ("__init__",),
    ("cli",),
    ("__main__",),
)
# a notebook asks a result itself for its picture, and only then; a comparison is asked for its page
LATE = {("explanation", "plotting"), ("comparison", "comparison_sheet")}

MODULES = sorted(PACKAGE.rglob("*.py"))


def identifier(path: Path) -> str:
    return path.relative_to(PACKAGE).as_posix()


each_module = pytest.mark.parametrize("path", MODULES, ids=identifier)


def room(path: Path) -> str:
    """The module, or the sub-package that it lies in."""
    return path.relative_to(PACKAGE).with_suffix("").parts[0]


def level(name: str) -> int:
    found = [i for i, names in enumerate(LEVELS) if name in names]
    assert len(found) == 1, f"{name}.py: give it one place in LEVELS"
    return found[0]


def named(name: str) -> str:
    """The room that ``from predicdiff import name`` leads to; what is no module is a name of ``__init__``."""
    is_module = (PACKAGE / name).is_dir() or (PACKAGE / f"{name}.py").is_file()
    return name if is_module else "__init__"


def imports(path: Path) -> Iterator[str]:
    """Rooms that a module imports from, anywhere in its text."""
    inside = list(path.relative_to(PACKAGE).parts[:-1])
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            for alias in node.names:
                parts = alias.name.split(".")
                if parts[0] == PACKAGE.name:
                    yield (parts[1:] or ["__init__"])[0]
        elif isinstance(node, ast.ImportFrom):
            module = node.module.split(".") if node.module else []
            if node.level:
                base = inside[: len(inside) - (node.level - 1)] + module
            elif module[0] == PACKAGE.name:
                base = module[1:]
            else:
                continue
            yield from base[:1] or [named(alias.name) for alias in node.names]


def outside(path: Path) -> set:
    """Packages that a module imports as soon as it is imported itself: not those inside functions."""
    found = set()
    todo = list(ast.parse(path.read_text(encoding="utf-8")).body)
    while todo:
        node = todo.pop()
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.split(".")[0])
        elif isinstance(node, (ast.If, ast.Try, ast.With, ast.ClassDef)):
            if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
                continue
            todo += [child for child in ast.walk(node) if isinstance(child, (ast.Import, ast.ImportFrom))]
    return found


def test_the_package_is_found() -> None:
    assert {"errors.py", "nets/preprocessing.py"} <= {identifier(path) for path in MODULES}


def test_the_reader_of_imports_reads_every_kind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(globals(), "PACKAGE", tmp_path / "predicdiff")
    nets = PACKAGE / "nets"
    nets.mkdir(parents=True)
    for name in ("windows", "images", "errors", "plan", "units"):
        (PACKAGE / f"{name}.py").write_text("")
    text = (
        "import numpy\nimport predicdiff.windows\nfrom predicdiff.images import View\nfrom predicdiff import load_net\n"
        "from .. import units\nfrom ..errors import ImageError\nfrom . import zoo\nfrom .zoo import load_net\n"
        "def later():\n    from ..plan import Plan\n"
    )
    (nets / "some.py").write_text(text)
    found = sorted(imports(nets / "some.py"))
    assert found == ["__init__", "errors", "images", "nets", "nets", "plan", "units", "windows"]


def test_levels_and_exceptions_name_rooms_that_there_are() -> None:
    rooms = {room(path) for path in MODULES}
    assert {name for names in LEVELS for name in names} == rooms
    assert set().union(*HEAVY.values()) | {name for pair in LATE for name in pair} <= rooms


@each_module
def test_imports_go_down_the_levels_or_sideways_inside_one_package(path: Path) -> None:
    here = room(path)
    for there in imports(path):
        if there != here and (here, there) not in LATE:
            assert level(there) < level(here), f"{identifier(path)} imports {there}"


HEAVY = {
    "torch": {"nets"},
    "caffe": set(),
    "matplotlib": {"plotting"},
    "click": {"cli"},
    "tqdm": {"cli"},
}


@each_module
def test_heavy_packages_are_imported_where_they_are_used(path: Path) -> None:
    for package in outside(path) & set(HEAVY):
        assert room(path) in HEAVY[package], f"{identifier(path)} imports {package} as soon as it is imported"


def test_importing_the_package_imports_no_heavy_one() -> None:
    # of SciPy its linear algebra alone: the rest takes four times as long to import as all of ours
    heavy = {"torch", "caffe", "matplotlib", "skimage", "scipy.ndimage", "scipy.signal", "scipy.stats"}
    script = f"import sys, predicdiff.cli; print(*sorted({heavy} & set(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", script],
        cwd=str(PACKAGE.parent),
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout.strip(), done.stderr) == (0, "", "")


def public(tree: ast.Module) -> Iterator[ast.AST]:
    """Classes, functions and methods whose names do not begin with an underscore."""
    todo = list(tree.body)
    while todo:
        node = todo.pop()
        if isinstance(node, (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)) and not node.name.startswith("_"):
            yield node
            if isinstance(node, ast.ClassDef):
                todo += node.body


@each_module
def test_everything_public_has_a_docstring(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    without = [getattr(node, "name", "?") for node in public(tree) if not ast.get_docstring(node)]  # type: ignore[arg-type]
    assert not without
    assert ast.get_docstring(tree) or not tree.body, "the module has none"


@each_module
def test_nothing_is_validated_by_assert(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    assert not [node.lineno for node in ast.walk(tree) if isinstance(node, ast.Assert)]


@each_module
def test_annotations_are_not_evaluated(path: Path) -> None:
    """Python 3.8 and 3.9 cannot evaluate ``str | None``."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    futures = [node for node in tree.body if isinstance(node, ast.ImportFrom) and node.module == "__future__"]
    code = [node for node in tree.body if isinstance(node, (ast.FunctionDef, ast.ClassDef, ast.AnnAssign))]
    assert not code or any(alias.name == "annotations" for node in futures for alias in node.names)


@each_module
def test_exceptions_are_ours(path: Path) -> None:
    """Nothing raises a bare ``Exception``, nor one that the command line would show as a traceback."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call) and isinstance(node.exc.func, ast.Name):
            assert node.exc.func.id not in {"Exception", "BaseException", "AssertionError", "RuntimeError"}, node.lineno


def test_completion_offers_the_public_names() -> None:
    assert sorted(dir(predicdiff)) == sorted(predicdiff.__all__)
