"""Help without a column of types, and options of a kind together: what an option is for says what it takes."""

from typing import Any

from typer.core import TyperGroup

PANELS = {
    "Which images": (
        "images objects run domain data format label_map map drop ignore label_names split_list data_root "
        "image_folder labels label split clip skip_bad unlabelled per_class smallest"
    ),
    "Which network": "cfg names control start untrained classes width",
    "Where it goes": "out detections csv jsonl plan copy",
}
"""Names of options by their heading; all others stand under `Options`."""
MANY = 8
"""With fewer options there is one list."""


class ShortHelp(TyperGroup):
    """Commands whose help is short."""

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """As it is, with short help."""
        command = super().get_command(ctx, cmd_name)
        if command is not None:
            shorten(command, ctx)
        return command

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Of the group itself."""
        shorten(self, ctx)
        super().format_help(ctx, formatter)


def shorten(command: Any, ctx: Any) -> None:
    """Take the types out of a command's help, put ranges behind what is said, and many options under headings.

    What it changes of typer is not public: where another version has it otherwise, help is as that version makes it.
    """
    headings = {name: heading for heading, names in PANELS.items() for name in names.split()}
    options = [param for param in command.params if param.param_type_name == "option"]
    for param in filter(None, [*command.params, command.get_help_option(ctx)]):
        within = getattr(param, "_get_number_range_help_str", _nothing)()
        if within:
            param.help = f"{param.help} ({within})"
        vars(param).update(display_type_rich=_nothing, _get_number_range_help_str=_nothing)
    for option in options if len(options) > MANY else ():
        if option.name in headings and option.rich_help_panel is None:
            option.rich_help_panel = headings[option.name]


def _nothing(*_: Any, **__: Any) -> None:
    return None
