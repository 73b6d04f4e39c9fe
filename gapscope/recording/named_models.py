"""A model by name: a weights file of ours, or `module:factory`, a function of the user's that builds one."""

from pathlib import Path

from torch import nn

from gapscope.detector.factories import call_factory, is_factory, load_factory
from gapscope.detector.guests import load_network
from gapscope.errors import InputError


def load_model(name: str | Path) -> nn.Module:
    """The model of a weights file, or what a factory builds.

    Args:
        name: A weights file of gapscope, or `module:factory`: a module that can be imported, also from the current
            folder, or a Python file, and in it a function or class that is called without arguments, or a model.

    Raises:
        InputError: If there is no such file, module or factory, it fails, or it builds no PyTorch module.
    """
    if not is_factory(str(name)):
        return load_network(Path(name))
    made = load_factory(str(name))
    if not isinstance(made, nn.Module):
        if not callable(made):
            factory = str(name).rpartition(":")[2]
            raise InputError(f"{name}: {factory} is a {type(made).__name__} - expected a function that builds a model.")
        made = call_factory(str(name), made)
    if not isinstance(made, nn.Module):
        raise InputError(f"{name} built a {type(made).__name__} - expected a torch.nn.Module. Return the model.")
    return made
