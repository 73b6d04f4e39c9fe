"""Settings of where work is done: [resources.<stage>], what one piece of a stage's work is given by an engine."""

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from gapscope.config.tables import Table

Stage = Literal["train", "evaluate", "record", "graft", "compare"]
"""Stages whose work an engine hands out; data are read, and the page is drawn, where the command runs."""
_UNITS = {"": 1, "K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40}
_BYTES = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([KMGT]?)(?:i?B)?\s*")


def in_bytes(text: str) -> int:
    """`16 GiB` -> bytes, in powers of 1024; 0 for an empty text.

    Raises:
        ValueError: If it says no size.
    """
    found = _BYTES.fullmatch(text) if text else None
    if text and found is None:
        raise ValueError(f"'{text}' is no size. Write it as in '16 GiB'")
    return int(float(found[1]) * _UNITS[found[2]]) if found else 0


def _is_size(text: str) -> str:
    in_bytes(text)
    return text


class Resources(Table):
    """What one unit of a stage is given; none of it decides a number beyond the last digits that threads decide."""

    gpus: float | None = Field(None, ge=0)
    """Left out: one for each unit that runs a network where the machines have any and `[train] device` wants
    one. Less than 1 lets several share a GPU (Ray)."""
    cpus: int | None = Field(None, ge=1)
    """Cores, and so threads. Left out: with Ray on this machine its cores divided by --jobs, else one."""
    memory: Annotated[str, AfterValidator(_is_size)] = ""
    """Such as `16 GiB`: work waits for a machine that has so much free. Left out: not looked at."""
