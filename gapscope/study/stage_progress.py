"""Which stage is it, and how many of its units are done? Told beside the progress of each unit."""

from gapscope.progress import Progress
from gapscope.run_folder import STAGES


class StageProgress:
    """Of the stage that is running; stages of one unit say nothing."""

    def __init__(self, progress: Progress) -> None:
        self.progress = progress
        self.stage, self.done, self.total = "", 0, 0

    def begin(self, stage: str, total: int) -> None:
        """A stage with so many units to do begins."""
        self.stage, self.done, self.total = stage, 0, total
        self._tell("")

    def one_done(self, unit: str) -> None:
        """A unit has ended, or need not be done."""
        self.done += 1
        self._tell(unit.partition("/")[2])

    def _tell(self, note: str) -> None:
        if self.total > 1:
            what = f"stage {STAGES.index(self.stage) + 1}/{len(STAGES)} {self.stage}"
            self.progress(what, self.done, self.total, note)
