"""`module:factory`: a function of the user's own code, by name; its mistakes are told in one sentence."""

import importlib
import importlib.util
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any

from gapscope.errors import InputError

ANCHOR_FREE = "yolov3-anchor-free"
"""gapscope's own detector without anchors, which is behind the protocol as those of others are."""
PUT_TOGETHER = tuple(
    f"{family}_{backbone}_fpn"
    for family in ("fcos", "retinanet", "fasterrcnn")
    for backbone in ("resnet18", "resnet34", "mobilenet_v3_small", "mobilenet_v3_large")
    if (family, backbone) != ("fasterrcnn", "mobilenet_v3_large")
)
"""Detectors that torchvision has the parts of, and no name for."""
TORCHVISION = (
    *("fcos_resnet50_fpn", "retinanet_resnet50_fpn", "retinanet_resnet50_fpn_v2", "fasterrcnn_resnet50_fpn"),
    *("fasterrcnn_resnet50_fpn_v2", "fasterrcnn_mobilenet_v3_large_fpn", "fasterrcnn_mobilenet_v3_large_320_fpn"),
    *("ssdlite320_mobilenet_v3_large", *PUT_TOGETHER),
)
"""torchvision's detectors by the names that `[model]` knows; they are here, and not asked for, since importing
torchvision takes seconds."""


def is_factory(name: str) -> bool:
    """Whether a name means `module:factory`, and not a file or a built-in network."""
    module, colon, factory = name.rpartition(":")
    return bool(colon and module and factory) and not Path(name).exists()


def is_torchvision(name: str) -> bool:
    """Whether a name is one of torchvision's detectors, or is put together of its parts."""
    return name in TORCHVISION


def is_built_in(name: str) -> bool:
    """Whether a name is a detector behind the protocol that gapscope builds by itself, without code of the user's."""
    return name == ANCHOR_FREE or is_torchvision(name)


def is_guest(name: str) -> bool:
    """Whether a name means a detector behind the protocol, and not one of Darknet's."""
    return is_built_in(name) or is_factory(name)


def load_factory(name: str) -> Any:
    """What `module:factory` names.

    Args:
        name: A module that can be imported, also from the current folder, or a Python file, and a name in it.

    Raises:
        InputError: If there is no such module or name, or the module cannot be imported.
    """
    module_name, _, factory_name = name.rpartition(":")
    return _attribute(_import(module_name), module_name, factory_name)


def call_factory(name: str, factory: Any, *args: Any, **named: Any) -> Any:
    """What a factory builds.

    Raises:
        InputError: If the user's code fails.
    """
    try:
        with _searched_first(name.rpartition(":")[0]):
            return factory(*args, **named)
    except InputError:
        raise
    except Exception as error:  # whatever the user's own code does
        raise InputError(f"{name} failed: {type(error).__name__}: {error}. Call it in Python to see where.") from error


def factory_file(name: str) -> Path | None:
    """The file that a factory's module is read from; None where there is none. Nothing is imported: who only looks at a
    run folder does not run the code that it names.

    Raises:
        InputError: There is no such module.
    """
    module = name.rpartition(":")[0]
    if module.endswith(".py"):
        found = Path(module)
        if not found.is_file():
            raise InputError(_no_module(module))
        return found
    with _searched_first(module):
        spec = _spec(module)
    if spec is None:
        raise InputError(_no_module(module))
    return Path(spec.origin) if spec.has_location and spec.origin else None


def _spec(module: str) -> ModuleSpec | None:
    """Where a module is. `importlib.util.find_spec` would import the packages that it lies in."""
    spec: ModuleSpec | None = None
    parts = module.split(".")
    for number in range(1, len(parts) + 1):
        place = None if number == 1 else spec.submodule_search_locations if spec is not None else None
        if number > 1 and place is None:
            return None
        found = (finder.find_spec(".".join(parts[:number]), place) for finder in sys.meta_path)
        spec = next((one for one in found if one is not None), None)
    return spec


def _import(name: str) -> ModuleType:
    """A module by its dotted name, or by its file."""
    try:
        with _searched_first(name):
            if not name.endswith(".py"):
                return importlib.import_module(name)
            spec = importlib.util.spec_from_file_location(Path(name).stem, name)
            assert spec is not None and spec.loader is not None  # the name ends in .py
            module = importlib.util.module_from_spec(spec)
            spec.loader.exec_module(module)
            return module
    except Exception as error:  # whatever the user's own code does
        missing = isinstance(error, FileNotFoundError) or (
            isinstance(error, ModuleNotFoundError) and f"{name}.".startswith(f"{error.name}.")
        )
        if missing:
            raise InputError(_no_module(name)) from error
        raise InputError(f"{name} cannot be imported: {type(error).__name__}: {error}.") from error


def _no_module(name: str) -> str:
    return (
        f"there is no Python module {name}, neither installed nor in {Path.cwd()}. Write module:factory, such as "
        "torchvision.models:resnet18 or my_models.py:build."
    )


def _attribute(module: ModuleType, module_name: str, name: str) -> object:
    if not hasattr(module, name):
        raise InputError(f"{module_name} has no {name!r}. Name a function in it that builds a model.")
    return getattr(module, name)


@contextmanager
def _searched_first(module: str) -> Iterator[None]:
    """Modules are searched for as `python file.py` would, in the folder of a module that is a file, then in the current
    one; afterwards as before."""
    before = list(sys.path)
    folders = [Path.cwd()] if not module.endswith(".py") else [Path(module).resolve().parent, Path.cwd()]
    sys.path[:0] = dict.fromkeys(map(str, folders))
    importlib.invalidate_caches()  # the file may be younger than the last look into the folder
    try:
        yield
    finally:
        sys.path[:] = before
