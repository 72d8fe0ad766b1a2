"""The command line: parse, call, print. One file a command, named as the command, which is `command` in it."""

from __future__ import annotations

from importlib import import_module

import click

from .console import Commands
from .options.base import HELP_NAMES
from .versions import show

HELP = """Which parts of a picture speak for and against a class: prediction difference analysis (Zintgraf, Cohen and
Welling, 2016) for Caffe nets and others.

\b
Examples:
  predicdiff explain
  predicdiff explain cat.jpg --net googlenet -o out/cat.h5
  predicdiff COMMAND --help
"""
#: In the order of the help text.
COMMANDS = (
    "explain", "study", "show", "report", "predict", "sensitivity", "samples", "fit", "compare", "faithfulness",
    "randomisation", "nets", "blobs", "fetch",
)  # fmt: skip


@click.group(cls=Commands, help=HELP, context_settings={"help_option_names": HELP_NAMES, "max_content_width": 100})
@click.option(
    "--version", is_flag=True, expose_value=False, is_eager=True, callback=show,
    help="Say the version, those of engines and further packages, and exit.",
)  # fmt: skip
def main() -> None:
    """Run `predicdiff`."""


def add(name: str) -> None:
    """Take up the command that the file of this name holds."""
    main.add_command(import_module(f".{name}", __name__).command)


for name in COMMANDS:
    add(name)
