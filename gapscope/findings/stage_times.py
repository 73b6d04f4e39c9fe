"""How long did every stage take? From the records that its units of work leave."""

from collections import defaultdict
from dataclasses import dataclass

from gapscope.errors import InputError
from gapscope.files import OTHER_CONTENT, read_json
from gapscope.run_folder import STAGES, RunFolder, broken_record, unsealed


@dataclass(frozen=True)
class StageTime:
    """How long a stage took."""

    stage: str
    units: int
    """Finished pieces of work that are on record."""
    seconds: float
    """Wall-clock, all of them together."""
    longest: str
    """Name of the unit that took longest."""
    longest_seconds: float


def stage_times(folder: RunFolder) -> list[StageTime]:
    """Every stage that has a record, in the order of the study.

    Raises:
        InputError: If a record is broken.
    """
    units: dict[str, list[tuple[float, str]]] = defaultdict(list)
    for path in folder.record_files():
        try:
            record = unsealed(read_json(path))
            name, seconds = str(record["unit"]), float(record["seconds"])
        except OTHER_CONTENT as error:
            raise InputError(broken_record(path)) from error
        units[name.partition("/")[0]].append((seconds, name))
    known = [*STAGES, *sorted(set(units) - set(STAGES))]
    return [
        StageTime(stage, len(units[stage]), sum(seconds for seconds, _ in units[stage]), longest, most)
        for stage in known
        if units.get(stage)
        for most, longest in [max(units[stage])]
    ]
