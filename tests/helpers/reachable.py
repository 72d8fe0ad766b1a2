"""Which functions of the package a command can come to, from the text alone.

A name stands for what it is defined or imported as; a method called by its name for that of every class that the
command mentions on its way. So nothing is missed but what is looked up by a text, and little is found too many.
"""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator
from typing import NamedTuple, Tuple

from helpers.places import PACKAGE

Place = Tuple[str, str]  # a module, and what is defined in it: "f", "Class", "Class.method"


class Mentioned(NamedTuple):
    """What a piece of code mentions: definitions, and methods by their names alone."""

    places: set[Place]
    methods: set[str]


class Text:
    """All definitions of the package, and what each mentions."""

    def __init__(self) -> None:
        self.nodes: dict[Place, ast.AST] = {}
        self._imported: dict[str, dict[str, Place]] = {}
        self._mentioned: dict[Place, Mentioned] = {}
        self.modules = {_dotted(path): ast.parse(path.read_text(encoding="utf-8")) for path in PACKAGE.rglob("*.py")}
        for module, tree in self.modules.items():
            self._imported[module] = dict(self._imports(module, tree))
            for node in tree.body:
                self._define(module, node)

    def _define(self, module: str, node: ast.AST) -> None:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            self.nodes[module, node.name] = node
        if isinstance(node, ast.ClassDef):
            methods = [part for part in node.body if isinstance(part, ast.FunctionDef)]
            self.nodes.update({(module, f"{node.name}.{method.name}"): method for method in methods})
        if isinstance(node, (ast.Assign, ast.AnnAssign)):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            self.nodes.update({(module, target.id): node for target in targets if isinstance(target, ast.Name)})

    def _imports(self, module: str, tree: ast.Module) -> Iterator[tuple[str, Place]]:
        """Local names, and what they stand for; a module's own stands for (module, "")."""
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and node.level:
                here = module.split(".") if f"{module}.__init__" in self.modules else module.split(".")[:-1]
                source = ".".join([*here[: len(here) - node.level + 1], *([node.module] if node.module else [])])
                for alias in node.names:
                    whole = f"{source}.{alias.name}"
                    yield alias.asname or alias.name, (whole, "") if whole in self.modules else (source, alias.name)

    def place(self, module: str, name: str) -> Place | None:
        """What a name in a module stands for."""
        while (module, name) not in self.nodes and name in self._imported.get(module, ()):
            module, name = self._imported[module][name]
        return (module, name) if (module, name) in self.nodes or name == "" else None

    def mentioned(self, place: Place) -> Mentioned:
        """What the code of one definition mentions; of a class, what stands outside of its methods."""
        if place not in self._mentioned:
            self._mentioned[place] = self._mentions(place)
        return self._mentioned[place]

    def _mentions(self, place: Place) -> Mentioned:
        node, found = self.nodes[place], Mentioned(set(), set())
        parts: list[ast.AST] = [node]
        if isinstance(node, ast.ClassDef):
            parts = [*node.bases, *node.decorator_list, *(p for p in node.body if not isinstance(p, ast.FunctionDef))]
        for part in (inner for outer in parts for inner in ast.walk(outer)):
            if isinstance(part, ast.Name):
                found.places.update(filter(None, [self.place(place[0], part.id)]))
            elif isinstance(part, ast.Attribute):
                owner = self.place(place[0], part.value.id) if isinstance(part.value, ast.Name) else None
                if owner is None:
                    found.methods.add(part.attr)
                elif owner[1] == "":
                    found.places.update(filter(None, [self.place(owner[0], part.attr)]))
                elif isinstance(self.nodes[owner], ast.ClassDef):
                    found.places.add((owner[0], f"{owner[1]}.{part.attr}"))
                else:
                    found.methods.add(part.attr)
        return found

    def reached(self, start: Place) -> set[Place]:
        """All definitions that one can come to."""
        reached: set[Place] = set()
        called: set[str] = set()
        offered: dict[str, set[Place]] = defaultdict(set)  # methods of the classes so far
        waiting = {start}
        while waiting:
            place = waiting.pop()
            if place in reached or place not in self.nodes:
                continue
            reached.add(place)
            found = self.mentioned(place)
            waiting |= found.places
            for method in found.methods - called:
                waiting |= offered[method]
            called |= found.methods
            if isinstance(self.nodes[place], ast.ClassDef):
                waiting |= self._offer(place, offered, called)
        return reached

    def _offer(self, place: Place, offered: dict[str, set[Place]], called: set[str]) -> set[Place]:
        """Take up a class's methods; those that are called already, or without being named."""
        module, owner = place
        methods = [name for (where, name) in self.nodes if where == module and name.startswith(f"{owner}.")]
        for name in methods:
            offered[name.split(".")[1]].add((module, name))
        return {(module, name) for name in methods if name.split(".")[1] in called or name.split(".")[1][:2] == "__"}


def _dotted(path: object) -> str:
    """A module's name; of a package's own file that of the package, with what says so beside it."""
    parts = str(path)[len(str(PACKAGE.parent)) + 1 : -3].split("/")
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
