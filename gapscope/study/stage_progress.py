"""Which stage is it, how many of its units are done, and how long will all take? Told beside each unit's progress."""

import time
from collections.abc import Iterable, Mapping
from statistics import fmean
from types import MappingProxyType

from gapscope.progress import Progress
from gapscope.run_folder import STAGES
from gapscope.study.units import Standing
from gapscope.words import duration

Ahead = Mapping[str, tuple[int, float | None]]
"""By stage: units still to be done, and the seconds that one took, None where none was done."""


class StageProgress:
    """Of the stage that is running; stages of one unit say nothing."""

    def __init__(self, progress: Progress) -> None:
        self.progress = progress
        self.stage, self.done, self.total = "", 0, 0
        self.began = 0.0
        self.ahead: Ahead = MappingProxyType({})

    def begin(self, stage: str, total: int, ahead: Ahead = MappingProxyType({})) -> None:
        """A stage with so many units to do begins; `ahead` are the stages behind it."""
        self.stage, self.done, self.total, self.ahead = stage, 0, total, ahead
        self.began = time.monotonic()
        self._tell("")

    def one_done(self, unit: str) -> None:
        """A unit has ended, or need not be done."""
        self.done += 1
        self._tell(unit.partition("/")[2])

    def _tell(self, note: str) -> None:
        if self.total > 1:
            what = f"stage {STAGES.index(self.stage) + 1}/{len(STAGES)} {self.stage}"
            self.progress(what, self.done, self.total, "; ".join(filter(None, [self._left(), note])))

    def _left(self) -> str:
        """`in all 12 min`, of this stage and those behind it; `or more` where nothing is known of one of them."""
        if not 0 < self.done < self.total:
            return ""
        own = (time.monotonic() - self.began) / self.done * (self.total - self.done)
        behind = sum(count * seconds for count, seconds in self.ahead.values() if seconds is not None)
        more = " or more" if any(count and seconds is None for count, seconds in self.ahead.values()) else ""
        return f"in all {duration(own + behind)}{more}"


def ahead_of(stage: str, standing: Iterable[Standing]) -> Ahead:
    """What stages behind one have to do, going by what their units took that are done."""
    units = list(standing)
    found = {}
    for later in STAGES[STAGES.index(stage) + 1 :]:
        mine = [one for one in units if one.unit.stage == later]
        took = [float(one.record["seconds"]) for one in mine if one.record and "seconds" in one.record]
        found[later] = (sum(not one.done for one in mine), fmean(took) if took else None)
    return found
