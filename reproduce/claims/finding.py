"""What one photograph says of one line of the table."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Mapping


@dataclass(frozen=True)
class Finding:
    """The numbers of one line of the table, of one photograph before one net.

    Attributes
    ----------
    statistic : float
    nulls : mapping of str to float
        The same of what it is held against, by the names that the table has for them.
    beside : mapping of str to float
        What is reported besides, without a verdict.
    """

    statistic: float
    nulls: Mapping[str, float] = field(default_factory=dict)
    beside: Mapping[str, float] = field(default_factory=dict)
