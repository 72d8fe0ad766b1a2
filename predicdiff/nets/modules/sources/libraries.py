"""Calls of other libraries: without their chatter, without waiting for a network that is not there, and in one sentence
where they fail."""

from __future__ import annotations

import io
import logging
import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext, redirect_stdout
from typing import Any

from ....errors import DownloadError, PredicdiffError, WeightsError, first_line

#: Whose log is not shown; what matters of it is in the errors.
TALKATIVE = ("timm", "transformers", "huggingface_hub", "httpx", "filelock")
#: Errors of the hub, of urllib and of what these speak through, by their names, since not all are installed: that it
#: has no such net; that nobody was reached; and that somebody was.
UNKNOWN = {"RepositoryNotFoundError", "RevisionNotFoundError"}
UNREACHED = {
    "LocalEntryNotFoundError", "OfflineModeIsEnabled", "URLError", "ConnectError", "ConnectTimeout", "ConnectionError",
}  # fmt: skip
REFUSED = {"HTTPError"}
#: How many names a message tells.
TOLD = 5
#: How long Hugging Face's hub may take to answer, in seconds.
PATIENCE = 5.0


@contextmanager
def called(source: str, *, downloads: bool = True) -> Iterator[None]:
    """Call a library to make the net of ``source``, which may be one that ``downloads`` its weights.

    Raises
    ------
    DownloadError
        If weights are to be downloaded, and there is no network.
    WeightsError
        If the library can't make the net: it is unknown, gated, damaged, or written for another version.
    """
    try:
        with _silence(), _hub() if downloads else nullcontext():
            yield
    except PredicdiffError:
        raise
    except Exception as error:  # whatever a library has for the many things that may be wrong
        raise _told(source, error) from error


@contextmanager
def _silence() -> Iterator[None]:
    loggers = [logging.getLogger(name) for name in TALKATIVE]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL + 1)
    try:
        # torch says on stdout what it downloads, which there belongs to results
        with warnings.catch_warnings(), redirect_stdout(sys.stderr if sys.stderr.isatty() else io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels):
            logger.setLevel(level)


@contextmanager
def _hub() -> Iterator[None]:
    """Hugging Face's hub, if it is installed: from its cache alone where nobody answers, with bars on a terminal alone.

    It would try for three quarters of a minute before it looked into the cache.
    """
    try:
        from huggingface_hub import constants, utils
    except ImportError:
        yield
        return
    offline, bars = constants.HF_HUB_OFFLINE, not utils.are_progress_bars_disabled()
    constants.HF_HUB_OFFLINE = offline or not _answers(constants, utils)
    if not sys.stderr.isatty():
        utils.disable_progress_bars()
    try:
        yield
    finally:
        constants.HF_HUB_OFFLINE = offline
        if bars:
            utils.enable_progress_bars()


def _answers(constants: Any, utils: Any) -> bool:
    try:
        utils.get_session().head(constants.ENDPOINT, timeout=PATIENCE)
    except Exception:  # of whichever library the hub speaks through
        return False
    return True


def _told(source: str, error: BaseException) -> PredicdiffError:
    """What a library's error means, by it and by what it came of."""
    chain: list[BaseException] = []
    link: BaseException | None = error
    while link is not None and link not in chain:
        chain.append(link)
        link = link.__cause__ or link.__context__
    kinds = {kind.__name__ for one in chain for kind in type(one).__mro__}
    if "trust_remote_code" in str(error):
        return WeightsError(
            f"{source} brings code of its own, which is not run: make the module yourself and give it to load_net."
        )
    if "GatedRepoError" in kinds:
        return WeightsError(
            f"{source} is gated: ask for access on its page at huggingface.co, then log in (hf auth login)."
        )
    if kinds & UNKNOWN:
        return WeightsError(
            f"{source} is not known to huggingface.co, or it is private: look its name up there, and log in (hf auth "
            "login) if it is yours."
        )
    if kinds & UNREACHED and not kinds & REFUSED:
        return DownloadError(
            f"{source} is not on this machine, and where it could be downloaded nobody answers: connect to the "
            "network, or give a file of weights that you have (weights=..., --weights FILE)."
        )
    return WeightsError(f"{source} cannot be made ({type(error).__name__}: {first_line(error).rstrip('.')}).")


def meant(names: Sequence[str], prefix: str) -> str:
    """What could be meant, of names that are like the one that came, as a sentence; nothing of none."""
    told = [repr(prefix + name) for name in names]
    return f" Do you mean {', '.join(told[:-1])}{' or ' if told[:-1] else ''}{told[-1]}?" if told else ""
