"""What decides a piece of work: settings by the names that an experiment file gives them, and hashes.

A setting counts where it differs from its neutral value: the one that it had, in effect, before there was such a
setting. So a new setting that is left alone makes nothing again.
"""

from collections.abc import Collection, Mapping
from typing import Any, NamedTuple

from pydantic.fields import FieldInfo
from pydantic_core import to_jsonable_python

from gapscope.config import Experiment, Table


class _Required:
    """No value is neutral."""


REQUIRED = _Required()


class Part(NamedTuple):
    """One setting, or another value that decides."""

    value: Any
    """JSON-able."""
    neutral: Any = REQUIRED
    """The value that changes nothing; REQUIRED where every value counts."""
    field: str = ""
    """Table and key of a setting, such as `Train.epochs`; empty for what is no setting."""

    @property
    def decides(self) -> bool:
        return bool(self.value != self.neutral)


MadeFrom = Mapping[str, Part]
"""By name: `[train] augment.flip`, or words for what is no setting."""


def settings_of(table: Table, place: str, without: Collection[str] = ()) -> dict[str, Part]:
    """The settings of a table and of those in it, by place and key.

    Args:
        table: Such as `experiment.train`.
        place: What its names start with, such as `[train]`.
        without: Keys that do not decide.
    """
    found: dict[str, Part] = {}
    for key, field in type(table).model_fields.items():
        if key in without:
            continue
        name, value = f"{place} {key}".lstrip(), getattr(table, key)
        if isinstance(value, Table):
            found |= {f"{name}.{inner}": part for inner, part in settings_of(value, "").items()}
        elif isinstance(value, dict) and any(isinstance(inner, Table) for inner in value.values()):
            tables = ((own, inner) for own, table in value.items() for inner in settings_of(table, "").items())
            found |= {f"{name}.{own}.{key}": part for own, (key, part) in tables}
        else:
            value, owner = to_jsonable_python(value), type(table).__name__
            found[name] = Part(value, neutral_value(field), f"{owner}.{key}")
    return found


def all_settings(experiment: Experiment) -> dict[str, Part]:
    """Every setting of an experiment."""
    found: dict[str, Part] = {}
    for key, field in type(experiment).model_fields.items():
        value = getattr(experiment, key)
        if isinstance(value, Table):
            found |= settings_of(value, f"[{key}]")
        elif isinstance(value, dict):
            for name, table in value.items():
                found |= settings_of(table, f"[{key}.{name}]")
        else:
            found[key] = Part(to_jsonable_python(value), neutral_value(field), f"Experiment.{key}")
    return found


def neutral_value(field: FieldInfo) -> Any:
    """The value of a setting that counts as if there were none: the default that it began with.

    A default that is changed later, or does something that was not done before, names that value itself:
    `Field(0.5, json_schema_extra={"neutral": 0.0})`.
    """
    extra = field.json_schema_extra
    if isinstance(extra, dict) and "neutral" in extra:
        return extra["neutral"]
    return REQUIRED if field.is_required() else to_jsonable_python(field.get_default(call_default_factory=True))


def deciding(made_from: MadeFrom) -> dict[str, Any]:
    """The values that count, which is what a key is a hash of."""
    return {name: part.value for name, part in made_from.items() if part.decides}


def noted(made_from: MadeFrom) -> dict[str, Any]:
    """All values, as a record keeps them."""
    return {name: part.value for name, part in made_from.items()}
