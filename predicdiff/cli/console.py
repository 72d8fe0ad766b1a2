"""What the command line says and how: one sentence an error, one line a warning, a bar with the time left.

Nothing else in this room writes to the terminal. What is said is handed over in lines, and none of what files, servers
and other packages have put into one steers the terminal or begins a line of its own (`texts.one_line`).
"""

from __future__ import annotations

import errno
import os
import sys
import warnings
from contextlib import contextmanager, suppress
from typing import Any, Callable, Iterator, TextIO

import click
from tqdm import tqdm

from ..errors import MOST, MOST_OF_LINE, ConfidenceWarning, InputWarning, PredicdiffError
from ..texts import one_line, shown

OURS = (ConfidenceWarning, InputWarning)
INTERRUPTED = 130
STDOUT = "standard output"
#: Seconds below which nobody minds.
SOON = 5
#: Letters of a file's name in front of its bar.
NAME = 60


def say(*lines: object, err: bool = False) -> None:
    """Print lines on stdout or stderr, above a bar where there is one; nothing where the stream is closed.

    Each argument is one line: control characters and line breaks in it are escaped, and it is cut beyond
    `MOST_OF_LINE` characters. What a terminal has no characters for is escaped too.
    """
    _write("\n".join(one_line(line, MOST_OF_LINE) for line in lines), sys.stderr if err else sys.stdout)


def say_text(text: str, *, err: bool = False) -> None:
    """Print text that is laid out in lines, such as a table; what came from outside must be in one line already."""
    say(*text.split("\n"), err=err)


def say_error(error: object) -> None:
    """Print on stderr what went wrong, in the lines that the message has."""
    _write(f"Error: {shown(error, MOST)}", sys.stderr)


def _write(text: str, stream: TextIO | None) -> None:
    if stream is None:
        return
    encoding = stream.encoding or "utf-8"
    try:
        with tqdm.external_write_mode(file=stream):
            stream.write(text.encode(encoding, "backslashreplace").decode(encoding) + "\n")
            stream.flush()
    except OSError as error:
        if error.errno == errno.EPIPE:  # the reader has gone: click ends quietly
            raise
        _leave(stream)
        if stream is sys.stdout:  # of stderr there is nobody left to tell
            raise OSError(error.errno, error.strerror, STDOUT) from error


def _leave(stream: TextIO) -> None:
    """Let what a stream could not take go nowhere: Python would try once more at the end, and remark on it."""
    with suppress(OSError), open(os.devnull, "w") as nowhere:  # the former of streams that are no files
        os.dup2(nowhere.fileno(), stream.fileno())


class Failure(click.ClickException):
    """An error that the user can mend: one sentence on stderr, exit status 2."""

    exit_code = 2

    def show(self, file: Any = None) -> None:
        """Print the sentence."""
        say_error(self.message)


class Commands(click.Group):
    """The group of commands, in the order they were added; none ends in a traceback for what a user can mend."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names in the order of the help text."""
        return list(self.commands)

    def make_context(self, *args: Any, **settings: Any) -> click.Context:
        """As usual, but that mistakes in front of a command's name are told as those behind it."""
        try:
            return super().make_context(*args, **settings)
        except (click.NoSuchOption, click.BadOptionUsage) as error:
            raise _misused(error, error.ctx) from error

    def main(self, *args: Any, **settings: Any) -> Any:
        """As usual, but that a help text which cannot be written, as on a full disk, ends in a sentence too."""
        try:
            return super().main(*args, **settings)
        except OSError as error:
            say_error(_of_system(error))
            sys.exit(Failure.exit_code)

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command; errors become sentences, warnings lines."""
        with plain_warnings(), plain_errors(ctx):
            return super().invoke(ctx)


@contextmanager
def plain_errors(ctx: click.Context) -> Iterator[None]:
    """Turn each expected exception into one sentence."""
    try:
        yield
    except PredicdiffError as error:
        raise Failure(str(error)) from error
    except click.UsageError as error:
        raise _misused(error, error.ctx or ctx) from error
    except MemoryError as error:
        raise Failure("memory ran out: free some, or use a smaller net.") from error
    except OSError as error:
        if error.errno == errno.EPIPE:  # the reader has gone: click ends quietly
            raise
        raise Failure(_of_system(error)) from error
    except KeyboardInterrupt:
        say(*([""] if _seen() else []), "Interrupted.", err=True)
        ctx.exit(INTERRUPTED)


def _of_system(error: OSError) -> str:
    """What the system says, and of what: a file, or standard output, to which click writes help texts."""
    name = error.filename
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except OSError:
        _leave(sys.stdout)
        name = name or STDOUT
    return one_line(f"{name}: {error.strerror or error}." if name else f"{error.strerror or error}.", MOST_OF_LINE)


def _misused(error: click.UsageError, ctx: click.Context | None) -> Failure:
    where = "" if ctx is None else f" See `{ctx.command_path} --help`."
    return Failure(one_line(f"{_sentence(error.format_message())}{where}", MOST_OF_LINE))


@contextmanager
def plain_warnings() -> Iterator[None]:
    """Print predicdiff's own warnings as a line each; others go their way, but that they steer no terminal."""
    with warnings.catch_warnings():
        for kind in OURS:
            warnings.simplefilter("always", kind)
        usual: Callable[..., None] = warnings.showwarning

        def show(message: Warning | str, category: type[Warning], *where: Any, **options: Any) -> None:
            if issubclass(category, OURS):
                say(f"Warning: {_sentence(str(message))}", err=True)
            else:
                usual(shown(message, MOST), category, *where, **options)

        warnings.showwarning = show
        yield


def _sentence(text: str) -> str:
    text = " ".join(text.split())
    return text if text.endswith((".", "!", "?")) else text + "."


def bar(
    total: float | None, *, quiet: bool, initial: float = 0, unit: str | None = " windows", scale: bool = False
) -> tqdm:
    """A bar on stderr with the time left; nothing where that is no terminal. Without a unit nothing is counted."""
    count = "" if unit is None else "{n_fmt}/{total_fmt}{unit}, "
    shape = "{desc}{percentage:3.0f}% |{bar}| " + count + "{elapsed} gone, {remaining} left"
    hidden = quiet or not _seen()
    return tqdm(
        total=total,
        initial=initial,
        unit_scale=scale,
        file=sys.stderr,
        disable=hidden,
        bar_format=shape.replace("{unit}", unit or ""),
        dynamic_ncols=True,
    )


def follow(shown: tqdm[Any]) -> Callable[[int, int | None], None]:
    """What moves a bar to (done, total)."""

    def progress(done: int, total: int | None) -> None:
        shown.total = total
        shown.update(done - shown.n)

    return progress


class FileBars:
    """A progress bar for each file that comes."""

    def __init__(self, quiet: bool) -> None:
        self.quiet = quiet
        self.file: str | None = None
        self.bar: tqdm[Any] | None = None

    def __call__(self, file: str, received: int, total: int | None) -> None:
        """Show how much of ``file`` is there; the first call for it begins a new bar."""
        if file != self.file or self.bar is None:
            self.close()
            self.file = file
            self.bar = bar(total, quiet=self.quiet, initial=received, unit="B", scale=True)
            self.bar.set_description(one_line(file, NAME))
        follow(self.bar)(received, total)

    def close(self) -> None:
        """End the bar."""
        if self.bar is not None:
            self.bar.close()
        self.bar = None


def _seen() -> bool:
    """Whether stderr is a terminal; a process without one has no stderr at all."""
    return sys.stderr is not None and sys.stderr.isatty()


def duration(seconds: float) -> str:
    """An estimate as people say it, such as "about 42 seconds"."""
    number, unit, _ = _in_units(seconds)
    return "a few seconds" if seconds < SOON else f"about {number} {unit}"


def short_duration(seconds: float) -> str:
    """The same for a table, such as "42 s"."""
    number, _, unit = _in_units(max(1, seconds))
    return f"{number} {unit}"


def _in_units(seconds: float) -> tuple[str, str, str]:
    """A number and its unit, spelt out and short."""
    if seconds < 90:
        return f"{seconds:.0f}", "seconds", "s"
    if seconds < 90 * 60:
        return f"{seconds / 60:.0f}", "minutes", "min"
    if seconds < 48 * 3600:
        return f"{seconds / 3600:.1f}", "hours", "h"
    return f"{seconds / 86400:.1f}", "days", "days"


def speaker(quiet: bool) -> Callable[..., None]:
    """What prints lines on stdout, or nothing."""
    return (lambda *lines: None) if quiet else say
