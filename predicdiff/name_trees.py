"""The trees by which HDF5 finds names in groups, looked at before the library sees them.

One that leads back into itself hangs the library, or overruns its stack. Each node is found by its signature, wherever
it lies. In files of the library's later format nodes have other signatures, and know how deep they lie.
"""

from __future__ import annotations

import struct
from typing import Iterator, Protocol

import numpy as np

from .errors import FormatError

#: What an HDF5 file begins with. The library would look for it further on.
FIRST = b"\x89HDF\r\n\x1a\n"
#: A node of names: its kind, level, and how many children it has; then its left and right neighbours.
SIGNATURE, HEAD = b"TREE\0", struct.Struct("<4xBBHQQ")
#: Keys and children take turns behind that.
ENTRY = 16
NOWHERE = 2**64 - 1
#: What to do about a file that groups were taken out of, whose old nodes still lie there.
ANEW = "If it is yours, write it anew with h5repack."
#: Of any file's nodes and children, of which there is one for some names each.
MOST_CHILDREN = 200_000


class Content(Protocol):
    """Bytes, or a file that is mapped."""

    def find(self, wanted: bytes, start: int) -> int:
        """Where these bytes come next; -1 if they don't."""

    def __getitem__(self, part: slice) -> bytes:
        """A stretch."""

    def __len__(self) -> int:
        """How many there are."""


def check_name_trees(content: Content) -> None:
    """Refuse a file in which a node of names is two nodes' child or neighbour, or its own descendant.

    Raises
    ------
    FormatError
        The file's name is left to the caller.
    """
    if content[:8] != FIRST:
        raise FormatError("no HDF5, or something before it.")
    addresses_at = 13 if content[8:9] in (b"\0", b"\1") else 9  # by the version of HDF5's first block
    if content[addresses_at : addresses_at + 2] != b"\x08\x08":
        raise FormatError("HDF5 with addresses of another width than 8 bytes is not read.")
    nodes = {start: (children, right) for start, children, right in _nodes(content)}
    children = [child for node, _ in nodes.values() for child in node]
    rights = [right for _, right in nodes.values() if right != NOWHERE]
    if len(set(children)) < len(children) or len(set(rights)) < len(rights):
        raise FormatError(f"two places of its index of names are one. {ANEW}")
    # whoever has no parent is looked at first; in a circle everybody has one
    parents = dict.fromkeys(nodes, 0)
    for child in children + rights:
        if child in parents:
            parents[child] += 1
    free = [start for start, count in parents.items() if count == 0]
    for start in free:
        below, right = nodes[start]
        for child in [*below, right]:
            if child in parents:
                parents[child] -= 1
                if parents[child] == 0:
                    free.append(child)
    if len(free) < len(nodes):
        raise FormatError(f"its index of names leads back into itself. {ANEW}")


def _nodes(content: Content) -> Iterator[tuple[int, list[int], int]]:
    """Where each node lies, its children, and its right neighbour."""
    count, start = 0, content.find(SIGNATURE, 0)
    while start >= 0:
        head = content[start : start + HEAD.size]
        if len(head) == HEAD.size:
            _, _, used, _, right = HEAD.unpack(head)
            count += used + 1
            if count > MOST_CHILDREN:
                raise FormatError(f"more than {MOST_CHILDREN} places in its index of names.")
            entries = content[start + HEAD.size : start + HEAD.size + used * ENTRY]
            whole = np.frombuffer(entries, "<u8", len(entries) // ENTRY * 2)
            yield start, whole[1::2].tolist(), right
        start = content.find(SIGNATURE, start + 1)
