"""Values out of a file are what their fields say they are, before anything is computed from them or shown."""

from functools import lru_cache
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

Declared = TypeVar("Declared")


def typed(kind: type[Declared], found: Any) -> Declared:
    """JSON values as a dataclass, or any other type, says they are; keys that it does not know are left out.

    Raises:
        KeyError: A part is missing that has no default.
        ValueError: One is something else than its type says; the first is named.
    """
    declared: Any = kind  # mypy takes a class with variables for nothing that can be hashed
    try:
        checked: Declared = _adapter(declared).validate_python(found)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(map(str, first["loc"]))
        if first["type"] == "missing":
            raise KeyError(place) from None
        raise ValueError(f"{place or 'it'} is {first['input']!r:.60}: {first['msg']}".rstrip(".")) from None
    return checked


@lru_cache(maxsize=64)
def _adapter(kind: Any) -> TypeAdapter[Any]:
    return TypeAdapter(kind)
