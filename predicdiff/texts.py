"""Text from files and servers, made fit to be shown: labels, names of layers and files, what a server says."""

from __future__ import annotations

import unicodedata

#: Kinds of characters that steer a terminal or turn text round, stand for nothing, or are none: control characters,
#: formatting, halves of surrogate pairs, separators of lines and paragraphs.
HARMFUL = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
#: Of these what text is laid out with, and what joins letters or emoji.
KEPT = frozenset("\n\t\N{ZERO WIDTH JOINER}\N{ZERO WIDTH NON-JOINER}\N{SOFT HYPHEN}")


def shown(text: object, most: int | None = None) -> str:
    r"""Text with an escape in place of each character that could speak to a terminal, no longer than ``most``.

    Parameters
    ----------
    text : object
        Its `str` is taken.
    most : int, optional
        Characters; of a longer text the middle is left out.

    >>> shown("\x1b[31mtiger")
    '\\x1b[31mtiger'
    >>> shown("a long name", most=7)
    'a l...e'
    """
    plain = str(text)
    if most is not None and len(plain) > most:
        tail = (most - 3) // 3
        plain = f"{plain[: most - 3 - tail]}...{plain[len(plain) - tail :]}"
    if plain.isprintable():
        return plain
    return "".join(_harmless(character) for character in plain)


def _harmless(character: str) -> str:
    if character in KEPT or unicodedata.category(character) not in HARMFUL:
        return character
    return character.encode("unicode_escape").decode("ascii")
