"""How options are declared, at the field of a dataclass that each fills, and shown, under headings."""

from __future__ import annotations

import dataclasses
import functools
from typing import Any, Callable, ClassVar

import click

from ...budget import room, within

Callback = Callable[..., Any]
#: The heading of what belongs under no other: a command's own options, which come first, or what all commands have.
OTHER = "Options"
COMMON = {"--quiet", "--help"}
HELP_NAMES = ["-h", "--help"]
#: Where a context keeps the bytes that its command may take.
ALLOWED = "predicdiff.memory"
Decorator = Callable[[Callback], Callback]


class Grouped(click.Option):
    """An option that knows the heading it stands under in the help text."""

    def __init__(self, *args: Any, group: str = OTHER, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.group = group


class Value(click.ParamType):
    """A type that says what its value is called in help texts."""

    metavar: str


class Command(click.Command):
    """A command whose help text shows its options under their headings."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        # not left to the group: click keeps the help option of the first context, which may be one without it
        super().__init__(*args, **{"context_settings": {"help_option_names": HELP_NAMES}, **kwargs})

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command within the memory that it is allowed."""
        with within(ctx.meta.get(ALLOWED, room())):
            return super().invoke(ctx)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write one section for each heading, in the order in which they first appear, the command's own first."""
        sections: dict[str, list[tuple[str, str]]] = {}
        own = False
        for param in self.get_params(ctx):
            record = param.get_help_record(ctx) if isinstance(param, click.Option) else None
            if record is not None:
                heading = param.group if isinstance(param, Grouped) else OTHER
                sections.setdefault(heading, []).append(record)
                own = own or (heading == OTHER and COMMON.isdisjoint(param.opts))
        for heading, records in sorted(sections.items(), key=lambda section: (section[0] == OTHER) != own):
            with formatter.section(heading):
                formatter.write_dl(records)


@dataclasses.dataclass(frozen=True)
class Options:
    """Options that commands take together: each field of a dataclass made from this one is one, see `option_field`."""

    #: What they stand under in the help text.
    heading: ClassVar[str] = OTHER


def option_field(*names: str, **settings: Any) -> Any:
    """A field of `Options`, with what `click.option` takes; its default is shown.

    The default is that of ``settings``, read as the command line is; otherwise () of what may be repeated,
    False of a flag, and None.
    """
    default = () if settings.get("multiple") else False if settings.get("is_flag") else None
    if "default" in settings:
        default = click.types.convert_type(settings.get("type"), settings["default"])(settings["default"])
    metadata = {"names": names, "settings": settings}
    if settings.get("required"):
        return dataclasses.field(metadata=metadata)
    return dataclasses.field(default=default, metadata=metadata)


def options_of(kind: type[Options], name: str, **defaults: Any) -> Decorator:
    """Decorator that adds the options of ``kind`` to a command, in the order of its fields.

    Their values are handed over as ``name=kind(...)``; ``defaults`` take the place of the fields' own.
    """
    fields = dataclasses.fields(kind)

    def decorate(command: Callback) -> Callback:
        @functools.wraps(command)
        def filled(**values: Any) -> Any:
            own = {field.name: values.pop(field.name) for field in fields}
            return command(**{name: kind(**own)}, **values)

        result: Callback = filled
        for field in reversed(fields):
            settings = dict(field.metadata["settings"])
            if field.name in defaults:
                settings["default"] = defaults[field.name]
            result = _option(*field.metadata["names"], field.name, group=kind.heading, **settings)(result)
        return result

    return decorate


def _option(*names: str, group: str, **settings: Any) -> Decorator:
    settings.setdefault("show_default", settings.get("default", "") != "")
    kind = settings.get("type")
    settings.setdefault("metavar", kind.metavar if isinstance(kind, Value) else None)
    return click.option(*names, cls=Grouped, group=group, **settings)


@dataclasses.dataclass(frozen=True)
class Speech(Options):
    """How much a command says."""

    quiet: bool = option_field("-q", "--quiet", is_flag=True, help="Print nothing but warnings and errors.")


def images_argument() -> Decorator:
    """Any number of images, folders and patterns; ``-`` is standard input."""
    return click.argument("images", nargs=-1, metavar="[IMAGE]...")


def image_argument() -> Decorator:
    """An image that may be left out; ``-`` is standard input."""
    return click.argument("image", required=False, metavar="[IMAGE]")
