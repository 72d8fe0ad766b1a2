"""The house rules that a reader of one file cannot see: who imports whom, and what every module has."""

from __future__ import annotations

import ast
import importlib
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Iterator

import pytest
from helpers.places import PACKAGE

import predicdiff

# rooms from the ground up: a module imports from the rows above its own, and from its own room
LEVELS = (
    ("texts",),
    ("errors", "sums", "cores", "stopping", "flock", "_version"),
    ("noise", "budget", "ours", "palettes", "chunks", "name_trees"),
    ("scratch",),
    ("tones", "extras", "datasets", "validation"),
    ("written",),
    ("files",),
    ("protocols", "image_files"),
    ("units", "windows", "images", "evidence", "locks", "tile_records"),
    ("journal",),
    ("abilities", "between"),
    ("precision", "classes", "masks", "conditions", "workers"),
    ("consistency",),
    ("samplers", "nets", "explanation", "overlays"),
    ("shapes",),
    ("settings",),
    ("targets", "presets", "comparing"),
    ("readout", "checks", "examination", "plotting"),
    ("plan",),
    ("executors", "assembly"),
    ("refinement",),
    ("algorithm",),
    ("effort", "methods"),
    ("judging",),
    ("studies",),
    ("page",),
    ("__init__",),
    ("cli",),
    ("__main__",),
)
# the same inside the rooms that have rooms of their own
INSIDE = {
    "nets": (
        ("arrays", "scores", "preprocessing", "labels"),
        ("facts", "base", "doors", "recipes"),
        ("engine",),
        ("caffe", "modules", "onnx", "fetching"),
        ("zoo",),
    ),
}
# a notebook asks a result itself for its picture or its page, and only then
LATE = {("explanation", "plotting"), ("explanation", "page")}
# where heavy packages may be imported as soon as a module is
HEAVY = {
    "torch": {"nets"},
    "caffe": set(),
    "onnx": set(),
    "onnxruntime": set(),
    "matplotlib": {"plotting"},
    "click": {"cli"},
    "tqdm": {"cli"},
}

MODULES = sorted(PACKAGE.rglob("*.py"))


def identifier(path: Path) -> str:
    return path.relative_to(PACKAGE).as_posix()


def parts_of(path: Path) -> tuple[str, ...]:
    """Where a module lies: ``("nets", "engine", "graph")``."""
    return path.relative_to(PACKAGE).with_suffix("").parts


def room(path: Path) -> str:
    """The module, or the room that it lies in."""
    return parts_of(path)[0]


def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def level(name: str, levels: tuple[tuple[str, ...], ...] = LEVELS) -> int:
    rows = [i for i, names in enumerate(levels) if name in names]
    assert len(rows) == 1, f"{name}: give it one place among the levels"
    return rows[0]


def imports(path: Path) -> Iterator[tuple[str, ...]]:
    """Modules of ours that a module imports, anywhere in its text, as their parts; of a package its name alone."""
    inside = list(parts_of(path)[:-1])
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Import):
            for alias in node.names:
                parts = alias.name.split(".")
                if parts[0] == PACKAGE.name:
                    yield tuple(parts[1:] or ["__init__"])
        elif isinstance(node, ast.ImportFrom):
            module = node.module.split(".") if node.module else []
            if node.level:
                base = inside[: len(inside) - (node.level - 1)] + module
            elif module[0] == PACKAGE.name:
                base = module[1:]
            else:
                continue
            for alias in node.names:
                named = PACKAGE.joinpath(*base, alias.name)
                is_module = named.is_dir() or named.with_suffix(".py").is_file()
                yield (*base, alias.name) if is_module else tuple(base or ["__init__"])


def outside(path: Path) -> set[str]:
    """Packages that a module imports as soon as it is imported itself: not those inside functions."""
    packages = set()
    todo = list(tree_of(path).body)
    while todo:
        node = todo.pop()
        if isinstance(node, ast.Import):
            packages |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            packages.add(node.module.split(".")[0])
        elif isinstance(node, (ast.If, ast.Try, ast.With, ast.ClassDef)):
            if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
                continue
            todo += [child for child in ast.walk(node) if isinstance(child, (ast.Import, ast.ImportFrom))]
    return packages


def test_the_package_is_found() -> None:
    assert {"errors.py", "nets/preprocessing.py", "nets/engine/graph.py"} <= {identifier(path) for path in MODULES}


def test_the_reader_of_imports_reads_every_kind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(globals(), "PACKAGE", tmp_path / "predicdiff")
    nets = PACKAGE / "nets"
    nets.mkdir(parents=True)
    for name in ("windows", "images", "errors", "plan", "units", "nets/zoo"):
        (PACKAGE / f"{name}.py").write_text("")
    text = (
        "import numpy\nimport predicdiff.windows\nfrom predicdiff.images import View\nfrom predicdiff import load_net\n"
        "from .. import units\nfrom ..errors import ImageError\nfrom . import zoo\nfrom .zoo import load_net\n"
        "def later():\n    from ..plan import Plan\n"
    )
    (nets / "some.py").write_text(text)
    wanted = {
        ("windows",), ("images",), ("__init__",), ("units",), ("errors",), ("nets", "zoo"), ("plan",),
    }  # fmt: skip
    assert set(imports(nets / "some.py")) == wanted


def test_levels_and_exceptions_name_rooms_that_there_are() -> None:
    rooms = {room(path) for path in MODULES}
    assert {name for names in LEVELS for name in names} == rooms
    assert set().union(*HEAVY.values()) | {name for pair in LATE for name in pair} <= rooms
    for outer, levels in INSIDE.items():
        there = {parts_of(path)[1] for path in MODULES if room(path) == outer} - {"__init__"}
        assert {name for names in levels for name in names} == there


def test_imports_go_down_the_levels_or_sideways_inside_one_room() -> None:
    offenders = []
    for path in MODULES:
        here = room(path)
        for there in imports(path):
            if there[0] == here:
                inner, mine = there[1:2], parts_of(path)[1:2]
                up = here in INSIDE and inner and mine != inner and mine != ("__init__",)
                wrong = up and level(inner[0], INSIDE[here]) > level(mine[0], INSIDE[here])
            else:
                wrong = (here, there[0]) not in LATE and level(there[0]) >= level(here)
            if wrong:
                offenders.append(f"{identifier(path)} imports {'.'.join(there)}")
    assert not offenders


def test_no_modules_import_each_other_in_a_circle() -> None:
    """Late imports, and those for types alone, hide circles: they count as the others do."""
    arrows: dict[tuple[str, ...], set[tuple[str, ...]]] = {}
    for path in MODULES:
        here = parts_of(path)
        if here[-1] != "__init__":
            arrows[here] = {there for there in imports(path) if (here[0], there[0]) not in LATE}

    def circle(here: tuple[str, ...], way: tuple[tuple[str, ...], ...]) -> tuple[tuple[str, ...], ...]:
        if here in way:
            return way[way.index(here) :]
        if here in done or here not in arrows:
            return ()
        for there in sorted(arrows[here]):
            ring = circle(there, (*way, here))
            if ring:
                return ring
        done.add(here)
        return ()

    done: set[tuple[str, ...]] = set()
    assert not [ring for ring in (circle(here, ()) for here in sorted(arrows)) if ring]


def test_no_module_is_hidden_behind_a_name_of_its_package() -> None:
    """``import predicdiff.x as m`` gives the module x, not a function of that name."""
    hidden = []
    for path in MODULES:
        *packages, name = parts_of(path)
        try:
            package = importlib.import_module(".".join([PACKAGE.name, *packages]))
        except ModuleNotFoundError as error:
            assert error.name in HEAVY  # noqa: PT017
            continue
        value = vars(package).get(name)
        if value is not None and not isinstance(value, ModuleType):
            hidden.append(identifier(path))
    assert not hidden


def test_heavy_packages_are_imported_where_they_are_used() -> None:
    offenders = [
        f"{identifier(path)} imports {package} as soon as it is imported"
        for path in MODULES
        for package in sorted(outside(path) & set(HEAVY))
        if room(path) not in HEAVY[package]
    ]
    assert not offenders


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


def test_everything_public_has_a_docstring() -> None:
    without = []
    for path in MODULES:
        tree = tree_of(path)
        if tree.body and not ast.get_docstring(tree):
            without.append(identifier(path))
        for node in public(tree):
            if not ast.get_docstring(node):  # type: ignore[arg-type]
                without.append(f"{identifier(path)}: {getattr(node, 'name', '?')}")
    assert not without


def test_nothing_is_validated_by_assert() -> None:
    offenders = [
        f"{identifier(path)}:{node.lineno}"
        for path in MODULES
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.Assert)
    ]
    assert not offenders


def test_annotations_are_not_evaluated() -> None:
    """Python 3.8 and 3.9 cannot evaluate ``str | None``."""
    offenders = []
    for path in MODULES:
        body = tree_of(path).body
        futures = [node for node in body if isinstance(node, ast.ImportFrom) and node.module == "__future__"]
        code = [node for node in body if isinstance(node, (ast.FunctionDef, ast.ClassDef, ast.AnnAssign))]
        if code and not any(alias.name == "annotations" for node in futures for alias in node.names):
            offenders.append(identifier(path))
    assert not offenders


def evaluated(path: Path) -> Iterator[ast.Subscript]:
    """Subscripts that are evaluated as soon as a module is imported, annotations apart."""
    todo: list[ast.AST] = list(tree_of(path).body)
    while todo:
        node = todo.pop()
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            todo += [*node.decorator_list, *node.args.defaults]
            continue
        if isinstance(node, ast.AnnAssign):
            todo += [node.value] if node.value is not None else []
            continue
        if isinstance(node, ast.Subscript):
            yield node
        todo += ast.iter_child_nodes(node)


def test_aliases_of_types_can_be_evaluated_by_python_3_8() -> None:
    """It has no ``list[int]``, nor ``Sequence[int]`` of collections.abc: aliases take typing's."""
    offenders = []
    for path in MODULES:
        plain = {"dict", "list", "set", "tuple", "type"}
        for node in tree_of(path).body:
            if isinstance(node, ast.ImportFrom) and node.module == "collections.abc":
                plain |= {alias.name for alias in node.names}
        for subscript in evaluated(path):
            if isinstance(subscript.value, ast.Name) and subscript.value.id in plain:
                offenders.append(f"{identifier(path)}:{subscript.lineno}")
    assert not offenders


def test_exceptions_are_ours() -> None:
    """Nothing raises a bare ``Exception``, nor one that the command line would show as a traceback."""
    bare = {"Exception", "BaseException", "AssertionError", "RuntimeError"}
    offenders = []
    for path in MODULES:
        for node in ast.walk(tree_of(path)):
            raised = node.exc.func if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call) else None
            if isinstance(raised, ast.Name) and raised.id in bare:
                offenders.append(f"{identifier(path)}:{node.lineno}")
    assert not offenders


def speakers(path: Path) -> Iterator[str]:
    """What in a module writes to the terminal past `cli/console.py`: print, click's echo, the streams themselves."""
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print":
            yield "print"
        if isinstance(node, ast.Attribute) and node.attr in {"echo", "secho", "echo_via_pager", "confirm", "prompt"}:
            yield node.attr
        if isinstance(node, ast.Attribute) and node.attr == "write" and isinstance(node.value, ast.Attribute):
            yield from {"stdout", "stderr", "__stdout__", "__stderr__"} & {node.value.attr}
        if isinstance(node, ast.ImportFrom) and node.module in {"click", "sys"}:
            yield from {"echo", "secho", "stdout", "stderr"} & {alias.name for alias in node.names}


def test_the_reader_of_speakers_reads_every_kind(tmp_path: Path) -> None:
    path = tmp_path / "some.py"
    path.write_text("from click import secho\nprint(1)\nsay = click.echo\nsys.stderr.write('')\nsys.stdout.flush()\n")
    assert sorted(speakers(path)) == ["echo", "print", "secho", "stderr"]


def test_there_is_one_channel_for_messages() -> None:
    """It escapes and bounds what came from files and servers, so nothing goes past it; bars of tqdm are cli's alone."""
    console = PACKAGE / "cli" / "console.py"
    others = [path for path in [*MODULES, *sorted((PACKAGE.parent / "reproduce").rglob("*.py"))] if path != console]
    offenders = [f"{path.relative_to(PACKAGE.parent)}: {how}" for path in others for how in speakers(path)]
    offenders += [identifier(path) for path in MODULES if "tqdm" in outside(path) and path != console]
    assert not offenders


def test_completion_offers_the_public_names() -> None:
    assert sorted(dir(predicdiff)) == sorted(predicdiff.__all__)


def test_the_page_of_the_architecture_names_every_room() -> None:
    page = (PACKAGE.parent / "ARCHITECTURE.md").read_text(encoding="utf-8")
    tree = page[page.index("    predicdiff/\n") : page.index("Beside the package lie")]
    words = set(re.findall(r"[a-z_]+/?", tree))
    rooms = {path.parent for path in MODULES} - {PACKAGE}
    modules = {path.stem for path in PACKAGE.glob("*.py") if not path.stem.startswith("_")}
    caffes = {"layer_types", "torch_layers"}  # rooms of nets/caffe, of which its own line speaks
    assert not [name for name in modules if name not in words]
    assert not [path.name for path in rooms if f"{path.name}/" not in words and path.name not in caffes]
