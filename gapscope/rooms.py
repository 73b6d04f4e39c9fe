"""Rooms whose names are imported when they are first used, so that opening a room costs nothing."""

import sys
from collections.abc import Mapping
from importlib import import_module
from types import ModuleType


def open_room(room: str, homes: Mapping[str, str]) -> list[str]:
    """Let a package offer names of its modules without importing them yet.

    Editors and type checkers are told the same names by a block `if TYPE_CHECKING` beside the call; a test compares
    the two.

    Args:
        room: The package, `__name__` in its `__init__`.
        homes: Module below the room -> the names it gives, as after `import`: `"first, second as other"`. The module
            `""` gives modules and rooms themselves.

    Returns:
        The names in the order given, for `__all__`; those that begin with `_` are not among them.
    """
    places: dict[str, tuple[str, str]] = {}
    for module, names in homes.items():
        for name in names.split(", "):
            own, _, public = name.partition(" as ")
            places[public or own] = (f"{room}.{module}", own) if module else (f"{room}.{own}", "")
    public_names = [name for name in places if not name.startswith("_")]

    class Room(ModuleType):
        def __getattr__(self, name: str) -> object:
            if name not in places:
                raise AttributeError(f"module '{room}' has no attribute '{name}'")
            home, own = places[name]
            found = import_module(home)
            self.__dict__[name] = value = getattr(found, own) if own else found
            return value

        def __setattr__(self, name: str, value: object) -> None:
            """Python hangs each imported module below its room; a name of the room that is spelt so stays."""
            if not (isinstance(value, ModuleType) and places.get(name, ("", ""))[1]):
                super().__setattr__(name, value)

        def __dir__(self) -> list[str]:
            return sorted({*super().__dir__(), *places})

    sys.modules[room].__class__ = Room
    return public_names
