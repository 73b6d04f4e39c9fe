"""Which units of a study may begin now? Kept up to date as they end, without looking at all of them again."""

from collections.abc import Sequence

from gapscope.run_folder import STAGES
from gapscope.study.replaced import take_back_kept
from gapscope.study.study import Study
from gapscope.study.units import Below, Standing, Unit, ledger, look_up


class Schedule:
    """How every unit of a study stands, while several of them are worked on at a time."""

    def __init__(self, units: Sequence[Unit], study: Study) -> None:
        self.units, self.study = units, study
        self.standing: dict[str, Standing] = {}
        self.look_again()
        self.below = Below(units)

    def look_again(self) -> None:
        """Look at all units, and take back what is wanted again and was kept."""
        self.standing = ledger(self.units, self.study.folder)
        for unit in self.units:
            if self.standing[unit.name].kept is not None:
                self._take_back(unit)

    def note(self, unit: Unit) -> None:
        """A unit's record is new: look at it and at all that go by it again, each after those that it needs."""
        for one in self.below.of(unit):
            self.standing[one.name] = look_up(one, self.standing, self.study.folder)
            if self.standing[one.name].kept is not None:
                self._take_back(one)

    def _take_back(self, unit: Unit) -> None:
        take_back_kept(self.standing[unit.name], self.study.folder)
        self.standing[unit.name] = look_up(unit, self.standing, self.study.folder)

    def ready(self, busy: set[str]) -> list[Unit]:
        """Units whose inputs are all there and that are to be done, but for those of `busy`.

        Later stages come first, so that a network is scored as soon as it is trained; what is wrong shows early.
        """
        open_ones = [one.unit for one in self.standing.values() if not one.done and not one.follows]
        free = [unit for unit in open_ones if unit.name not in busy]
        return sorted(free, key=lambda unit: -STAGES.index(unit.stage))

    def left(self) -> list[Unit]:
        """Units that are not done."""
        return [one.unit for one in self.standing.values() if not one.done]
