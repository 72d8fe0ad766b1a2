"""Text from files and servers, made fit to be shown: labels, names of layers and files, what a server says."""

from __future__ import annotations

import difflib
import hashlib
import os
import re
import unicodedata
from typing import Iterable

#: Kinds of characters that steer a terminal or turn text round, stand for nothing, or are none: control characters,
#: formatting, halves of surrogate pairs, separators of lines and paragraphs.
HARMFUL = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
#: Of these what text is laid out with, and what else stays: what joins letters or emoji, and hyphens in words.
LAYOUT = frozenset("\n\t")
KEPT = LAYOUT | frozenset("\N{ZERO WIDTH JOINER}\N{ZERO WIDTH NON-JOINER}\N{SOFT HYPHEN}")

#: Bytes of a file's name that is made of parts: some file systems allow 143, and a number, an ending and the mark of
#: what is not finished are added to it.
MOST_BYTES = 100

#: What looking for near names may take, and what each comparison takes besides the cube: a second or two at worst.
MOST_STEPS, STEPS_OF_ANY = 3 * 10**8, 5000


def shown(text: object, most: int | None = None, *, kept: frozenset[str] = KEPT) -> str:
    r"""Text with an escape in place of each character that could speak to a terminal, no longer than ``most``.

    Parameters
    ----------
    text : object
        Its `str` is taken.
    most : int, optional
        Characters; of a longer text the middle is left out.
    kept : frozenset of str, optional
        Characters that stay, though they are of a harmful kind.

    >>> shown("\x1b[31mtiger")
    '\\x1b[31mtiger'
    >>> shown("a long name", most=7)
    'a l...e'
    """
    plain = _cut(str(text), most)
    if plain.isprintable():
        return plain
    return _cut("".join(_harmless(character, kept) for character in plain), most)


def one_line(text: object, most: int | None = None) -> str:
    r"""As `shown`, with an escape in place of line breaks and tabs too: what stands in a line begins no other.

    >>> one_line("tiger\nWrote all.")
    'tiger\\nWrote all.'
    """
    return shown(text, most, kept=KEPT - LAYOUT)


def name_of(*parts: str) -> str:
    """A file name made of parts: letters, digits, dots and dashes stay, anything else becomes a dash.

    One that is too long for a file ends in a hash of what is left out of it.
    """
    name = "_".join(re.sub(r"[^\w.-]+", "-", part).strip("-.") or "x" for part in parts)
    whole = os.fsencode(name)
    if len(whole) <= MOST_BYTES:
        return name
    digest = hashlib.sha256(whole).hexdigest()[:12]
    return f"{whole[: MOST_BYTES - 13].decode('utf-8', 'ignore').rstrip('-._')}-{digest}"


def near(name: str, names: Iterable[str], most: int = 3, cutoff: float = 0.6) -> list[str]:
    """Names that are spelt nearly like one, the nearest first, as `difflib.get_close_matches` finds them.

    To compare two names takes up to the cube of their length, so of very many or very long ones some are left out.
    """
    left, compared = MOST_STEPS, []
    for other in names:
        both = len(name) + len(other)
        steps = len(name) ** 2 * len(other) + STEPS_OF_ANY
        if 2 * min(len(name), len(other)) >= cutoff * both and steps <= left:
            left -= steps
            compared.append(other)
    return difflib.get_close_matches(name, compared, most, cutoff)


def _cut(text: str, most: int | None) -> str:
    if most is None or len(text) <= most:
        return text
    tail = (most - 3) // 3
    return f"{text[: most - 3 - tail]}...{text[len(text) - tail :]}"


def _harmless(character: str, kept: frozenset[str]) -> str:
    if character in kept or unicodedata.category(character) not in HARMFUL:
        return character
    return escaped(character)


def escaped(character: str) -> str:
    r"""What stands in a character's place, such as ``\u4e2d``."""
    return character.encode("unicode_escape").decode("ascii")
