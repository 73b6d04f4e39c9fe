"""What does `environment.json` hold? With what, and where, a run was made."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class RunEnvironment:
    """Versions, device and command, as `gapscope run` noted them."""

    facts: Mapping[str, str | int | None] = field(default_factory=dict)
    """By name, in the file's order; None where it was not known, and empty where nothing is on record."""

    def __bool__(self) -> bool:
        return bool(self.facts)

    def get(self, name: str) -> str | int | None:
        """A fact, None where it is not known."""
        return self.facts.get(name)


def parse_environment(found: Mapping[str, Any]) -> RunEnvironment:
    """The JSON of an environment file; several versions in one entry become one text, `torch 2.14.1, numpy 2.4.6`.

    Raises:
        AttributeError: If it holds something else.
    """
    return RunEnvironment({name: _text(value) for name, value in found.items()})


def _text(value: Any) -> str | int | None:
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {version}" for name, version in value.items())
    return value if value is None or isinstance(value, int) else str(value)
