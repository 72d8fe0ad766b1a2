"""Options that commands share: declared once, shown in groups, handed over as one object each."""

from __future__ import annotations

import dataclasses
import functools
from typing import Any, Callable

import click

Callback = Callable[..., Any]
#: The heading of what belongs under no other: a command's own options, which come first, or what all commands have.
OTHER = "Options"
COMMON = {"--quiet", "--help"}
Decorator = Callable[[Callback], Callback]


class Grouped(click.Option):
    """An option that knows the heading it stands under in the help text."""

    def __init__(self, *args: Any, group: str = OTHER, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.group = group


class Command(click.Command):
    """A command whose help text shows its options under their headings."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write one section for each heading, in the order in which they first appear, the command's own first."""
        sections: dict[str, list[tuple[str, str]]] = {}
        own = False
        for param in self.get_params(ctx):
            record = param.get_help_record(ctx) if isinstance(param, click.Option) else None
            if record is not None:
                heading = getattr(param, "group", OTHER)
                sections.setdefault(heading, []).append(record)
                own = own or (heading == OTHER and COMMON.isdisjoint(param.opts))
        for heading, records in sorted(sections.items(), key=lambda section: (section[0] == OTHER) != own):
            with formatter.section(heading):
                formatter.write_dl(records)


def option(*names: str, group: str = OTHER, **settings: Any) -> Decorator:
    """`click.option` with a heading; a type of ours says by itself what its value is called."""
    settings.setdefault("metavar", getattr(settings.get("type"), "metavar", None))
    return click.option(*names, cls=Grouped, group=group, **settings)


def gather(name: str, kind: type, *options: Decorator) -> Decorator:
    """Decorator that adds options to a command and hands their values over as ``name=kind(...)``.

    ``kind`` is a dataclass with one field for each option.
    """
    names = [field.name for field in dataclasses.fields(kind)]

    def decorate(command: Callback) -> Callback:
        @functools.wraps(command)
        def gathered(**values: Any) -> Any:
            own = {field: values.pop(field) for field in names}
            return command(**{name: kind(**own)}, **values)

        result: Callback = gathered
        for add in reversed(options):
            result = add(result)
        return result

    return decorate


def quiet_option() -> Decorator:
    """-q: nothing but warnings and errors."""
    return option("-q", "--quiet", is_flag=True, help="Print nothing but warnings and errors.")


def image_argument() -> Decorator:
    """An image that may be left out."""
    return click.argument("image", required=False, metavar="[IMAGE]")
