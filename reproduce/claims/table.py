"""The table of claims, as it stood before anything was measured: what each says, and what would count for it."""

from __future__ import annotations

from .line import Line

# a

# b

# c

# d

# e

# f

# g

# h

# i

# j

LINES: tuple[Line, ...] = (
    # a
    # b
    # c
    # d
    # e
    # f
    # g
    # h
    # i
    # j
)
