"""What all tables of an experiment file share."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9]+([_.-][A-Za-z0-9]+)*$")]


class Table(BaseModel):
    """A table of the file: frozen, and a key it does not know is refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")
