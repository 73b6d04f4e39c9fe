"""A model by name: a weights file of ours, or `module:factory`, a function of the user's that builds one."""

import importlib
import importlib.util
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

from torch import nn

from gapscope.detector.weights import load_weights
from gapscope.errors import InputError


def load_model(name: str | Path) -> nn.Module:
    """The model of a weights file, or what a factory builds.

    Args:
        name: A weights file of gapscope, or `module:factory`: a module that can be imported, also from the current
            folder, or a Python file, and in it a function or class that is called without arguments, or a model.

    Raises:
        InputError: If there is no such file, module or factory, it fails, or it builds no PyTorch module.
    """
    module_name, colon, factory_name = str(name).rpartition(":")
    if not colon or Path(name).exists():
        return load_weights(Path(name))
    made = _attribute(_import(module_name), module_name, factory_name)
    if not isinstance(made, nn.Module):
        if not callable(made):
            raise InputError(
                f"{name}: {factory_name} is a {type(made).__name__} - expected a function that builds a model."
            )
        try:
            with _current_folder_first():
                made = made()
        except Exception as error:  # whatever the user's own code does
            raise InputError(
                f"{name} failed: {type(error).__name__}: {error}. Call it in Python to see where."
            ) from error
    if not isinstance(made, nn.Module):
        raise InputError(f"{name} built a {type(made).__name__} - expected a torch.nn.Module. Return the model.")
    return made


def _import(name: str) -> ModuleType:
    """A module by its dotted name, the current folder searched first, or by its file."""
    try:
        with _current_folder_first():
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
            raise InputError(
                f"there is no Python module {name}, neither installed nor in {Path.cwd()}. Write module:factory, such "
                "as torchvision.models:resnet18 or my_models.py:build."
            ) from error
        raise InputError(f"{name} cannot be imported: {type(error).__name__}: {error}.") from error


def _attribute(module: ModuleType, module_name: str, name: str) -> object:
    if not hasattr(module, name):
        raise InputError(f"{module_name} has no {name!r}. Name a function in it that builds a model.")
    return getattr(module, name)


@contextmanager
def _current_folder_first() -> Iterator[None]:
    """As `python file.py` would search for modules, and afterwards as before."""
    before = list(sys.path)
    sys.path.insert(0, str(Path.cwd()))
    importlib.invalidate_caches()  # the file may be younger than the last look into the folder
    try:
        yield
    finally:
        sys.path[:] = before
