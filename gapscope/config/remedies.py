"""Settings of `gapscope remedies`: [remedies], which remedies its plan adds to the arms of a study."""

from typing import Annotated

from pydantic import Field

from gapscope.config.tables import Table


class Remedies(Table):
    """Left out, only remedies that need no training are tried."""

    budgets: list[Annotated[int, Field(gt=0)]] = []
    """Numbers of labelled real images, each of which is tried alone, mixed and by fine-tuning."""
    block: str = ""
    """Layers that are fine-tuned alone too, such as `62-74`."""
    teacher: bool = False
    """Whether a mean teacher is tried, beside as much further training without one."""
