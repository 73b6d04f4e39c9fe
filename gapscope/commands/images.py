"""Which labelled images? The options of all commands that score networks, and what they mean together."""

import inspect
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gapscope.commands.app import DataRoot

if TYPE_CHECKING:
    from gapscope.study.scoring import Images

Several = list[str] | None


def _options(
    run: Annotated[Path | None, typer.Option(help="Run folder whose images are used; with --domain.")] = None,
    domain: Annotated[str | None, typer.Option(help="A domain of the run: its test images.")] = None,
    data: Annotated[Path | None, typer.Option(help="Instead of a run, a labelled folder.")] = None,
    format: Annotated[str | None, typer.Option(help="Its format, if it is not found.")] = None,
    label_map: Annotated[str, typer.Option(help="A map of its names: gapscope data maps")] = "",
    map: Annotated[Several, typer.Option(help='"car=car,van": class = its names there. Repeat it.')] = None,
    drop: Annotated[Several, typer.Option(help="A name there that is background. Repeat it.")] = None,
    ignore: Annotated[Several, typer.Option(help="A name there not to be scored. Repeat it.")] = None,
    label_names: Annotated[Path | None, typer.Option(help="Names of its class numbers, one a line.")] = None,
    split_list: Annotated[Path | None, typer.Option(help="Only these of its images, one a line.")] = None,
    data_root: DataRoot = None,
) -> "Images":
    from gapscope.data.labels import parse_mapping
    from gapscope.detector.class_names import read_names
    from gapscope.study.scoring import named_images

    return named_images(
        *(run, domain, data, data_root),
        format=format,
        label_map=label_map,
        labels=parse_mapping(map or [], "--map"),
        drop=drop or [],
        ignore=ignore or [],
        names=read_names(label_names) if label_names else [],
        split_list=split_list,
    )


def takes_images(command: Callable[..., None]) -> Callable[..., None]:
    """A command whose parameter `images` is made of the options above, which stand in its place in the help."""
    chosen, own = inspect.signature(_options), inspect.signature(command)
    parameters: list[inspect.Parameter] = []
    for parameter in own.parameters.values():
        parameters += chosen.parameters.values() if parameter.name == "images" else [parameter]

    @wraps(command)
    def taking(**given: Any) -> None:
        own_values = {name: value for name, value in given.items() if name in own.parameters}
        command(images=_options(**{name: given[name] for name in chosen.parameters}), **own_values)

    taking.__signature__ = own.replace(parameters=parameters)  # type: ignore[attr-defined]
    taking.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters} | {"return": None}
    return taking
