"""Settings of the stage that grafts layers of one arm into another: [graft]."""

from typing import Literal

from pydantic import Field, field_validator
from pydantic_core import PydanticCustomError

from gapscope.config.tables import Table

GraftForm = Literal["alone", "left out", "from the front", "from the back"]


class Graft(Table):
    """Left out, nothing is grafted."""

    pairs: list[tuple[str, str]] = []
    """[host, donor] by the names of arms; left out, every two reported arms of different domains, both ways."""
    parts: list[str] = []
    """Which layers are grafted together, as ranges or names; left out, the network's blocks."""
    forms: list[GraftForm] = Field(["alone", "left out", "from the front", "from the back"], min_length=1)
    """In which a part is grafted; `alone`, which verdicts rest on, must be among them."""
    controls: list[Literal["control", "rewind", "untrained"]] = ["control", "rewind", "untrained"]
    """What stands in a part's place besides the donor's: another seed of the host's arm, the host before training, a
    network that has learnt nothing."""
    orders: int = Field(0, ge=0)
    """Behind shares of the gap (Shapley values); of up to 6 parts all orders count. 0 for no shares."""
    statistics: Literal["own", "estimated", "both"] = "both"
    """Batch statistics: those that layers bring along, those of each graft's own maps over the host's training images,
    or one after the other."""
    domains: list[str] = []
    """Domains whose test images grafts are scored on; all that are evaluated when left out."""
    images: int | None = Field(None, ge=8)
    """At most so many test images of each domain, spread evenly; all when left out."""

    @field_validator("forms")
    @classmethod
    def _with_alone(cls, forms: list[GraftForm]) -> list[GraftForm]:
        if "alone" not in forms:
            raise PydanticCustomError("forms", "verdicts rest on 'alone', so it must be among the forms")
        return forms

    @field_validator("orders")
    @classmethod
    def _not_one(cls, orders: int) -> int:
        if orders == 1:
            raise PydanticCustomError("orders", "one order tells no error; give 0 for no shares, or 2 and more")
        return orders
