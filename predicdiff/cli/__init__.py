"""The command line: parse, call, print. One module for each group of commands."""

from __future__ import annotations

import click

from .._version import __version__
from .blobs import blobs
from .console import Commands
from .explain import explain
from .judging import compare_command, faithfulness_command, randomisation_command
from .listing import fetch, nets
from .predict import predict
from .sampling import fit, samples
from .sensitivity import sensitivity_command
from .show import show

HELP = """Which parts of a picture speak for and against a class: prediction difference analysis (Zintgraf, Cohen and
Welling, 2016) for Caffe nets and others.

\b
Examples:
  predicdiff explain
  predicdiff explain cat.jpg --net googlenet -o out/cat.h5
  predicdiff COMMAND --help
"""


@click.group(
    cls=Commands, help=HELP, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}
)
@click.version_option(__version__, prog_name="predicdiff")
def main() -> None:
    """Run `predicdiff`."""


for command in (
    explain, show, predict, sensitivity_command, samples, fit, compare_command, faithfulness_command,
    randomisation_command, nets, blobs, fetch,
):  # fmt: skip
    main.add_command(command)
