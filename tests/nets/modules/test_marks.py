"""What tells functions from others: those that do the same are alike in every process, those that do not differ."""

from __future__ import annotations

import functools
import operator
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402

from predicdiff.nets.modules.marks import mark  # noqa: E402

#: Each makes a function, or an object that is called, of a number; what it does follows from the number alone.
SOURCE = '''
import collections, dataclasses, functools, operator, types
import numpy as np
import torch
from torch import nn

def closure(by):
    return lambda returned: by * returned

def nested(by):
    return eval(f"lambda returned: [(lambda one: {by} * one)(each) for each in returned if each not in {{'a', 'b'}}]")

def keyword(by):
    def pick(returned, *, by=by):
        return by * returned
    return pick

def default(by):
    return lambda returned, by=by: by * returned

def of_a_global(by):
    return types.FunctionType(eval("lambda returned: BY * returned").__code__, {"BY": by}, "pick")

def of_a_module(by):
    module = types.ModuleType("mine")
    exec(f"BY = {by}\\ndef scaled(returned): return BY * returned", vars(module))
    return types.FunctionType(eval("lambda returned: mine.scaled(returned)").__code__, {"mine": module}, "pick")

def of_a_tensor(by):
    held = torch.zeros(40, 50)
    held[20, 25] = by
    return lambda returned: (held * returned).sum()

def of_an_array(by):
    return closure({"held": [np.r_[np.zeros(1500), by, np.zeros(1500)]]})

def of_a_layer(by):
    torch.manual_seed(0)
    layer = nn.Sequential(nn.Linear(3, 3), nn.Dropout(by / 10))
    return lambda returned: torch.softmax(nn.functional.relu(layer(returned)), 1)

@dataclasses.dataclass
class Held:
    by: object
    others: list = dataclasses.field(default_factory=list)

    def scaled(self, returned):
        return self.by * returned

class Slots:
    __slots__ = ("by",)

    def __init__(self, by):
        self.by = by

    def __call__(self, returned):
        return self.by * returned

def bound(by):
    return Held(by).scaled

def of_an_object(by):
    return functools.partial(operator.mul, Held(Slots(by)))

def of_a_class(by):
    return type("Own", (Slots,), {"__call__": closure(by)})(1)

def cached(by):
    return functools.lru_cache(closure(by))

def of_itself(by):
    def pick(returned):
        return pick(returned[1:]) if returned else by
    return pick

def named(by):
    return operator.attrgetter(f"a{by}")

def ordered(by):
    return collections.OrderedDict(a=1, by=by).get

MAKERS = [closure, nested, keyword, default, of_a_global, of_a_module, of_a_tensor, of_an_array, of_a_layer, bound,
          Slots, of_an_object, of_a_class, cached, of_itself, named, ordered]
'''  # fmt: skip


def marks() -> list[str]:
    sys.modules["made"] = type(sys)("made")
    exec(SOURCE, vars(sys.modules["made"]))
    made: dict[str, Any] = vars(sys.modules["made"])
    return [mark(make(by), "untold") for make in made["MAKERS"] for by in (2, 3)]


def test_functions_that_do_the_same_are_alike_and_others_differ() -> None:
    here = marks()
    assert "untold" not in here
    assert len(set(here)) == len(here)
    program = "import test_marks; print(*test_marks.marks(), sep='\\n')"
    folders = os.pathsep.join([str(Path(__file__).parent), *sys.path])
    other = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONPATH": folders, "PYTHONHASHSEED": "7"},
        stdout=subprocess.PIPE, check=True, text=True,
    )  # fmt: skip
    assert other.stdout.split() == here


def test_what_cannot_be_told_apart_is_said() -> None:
    lock = threading.Lock()
    held = [lock, lambda returned: lock, functools.partial(operator.mul, nn.ParameterList()), {1: (i for i in "ab")}]
    assert [mark(each, "untold") == "untold" for each in held] == [True, True, False, True]
    assert mark(np.array([lock]), "untold") == mark(torch.eye(2).to_sparse(), "untold") == "untold"
