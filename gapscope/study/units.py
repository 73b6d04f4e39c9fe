"""Units of work: what each is made from, what it leaves behind, and which of them still have to be done."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from gapscope.errors import InputError
from gapscope.files import OTHER_CONTENT, hash_value
from gapscope.intact import CHECKSUMS, Checksum, is_intact, note_checksums, parse_checksums
from gapscope.run_folder import RunFolder, RunName, broken_record
from gapscope.study.file_list import damaged_in_list
from gapscope.study.former_keys import former_key
from gapscope.study.kept import RECORD as KEPT_RECORD, find_kept
from gapscope.study.made_from import MadeFrom, deciding, noted

STAGE_VERSIONS = {"data": 2, "train": 2, "evaluate": 3, "record": 2, "graft": 2, "compare": 4, "report": 2}
"""Raised when a stage's code gives other numbers or files than before, so that finished runs make it again."""


SCORES_ALONE = {"[evaluate] operating_confidence", "[evaluate] bootstraps", "[evaluate] headline"}
"""Settings of an evaluation that change no detection."""
DETECTIONS_SINCE = 2
"""The first version of the evaluate stage whose stored detections are those of today: they are scored anew without
running a network again."""


class UnitKeys(NamedTuple):
    """What a unit of work is known by."""

    now: str
    """A hash of all that decides its result."""
    going_on: str
    """Without the settings that only say when it ends: what was begun under the same one may be gone on with."""
    former: str | None = None
    """The key that it had, see `former_keys`; None if it had none."""
    whole: str = ""
    """The key that it has if it goes by all of a domain, not only by the part that it reads."""
    detected: tuple[str, ...] = ()
    """Of an evaluation: keys that it had under earlier versions, whose detections are still right."""
    rescored: tuple[str, ...] = ()
    """Of an evaluation: keys that it has on record under settings that change scores alone, so that its detections are
    those that are wanted."""
    once: str | None = None
    """The key that it had when settings decided it that no longer do; None where there are none."""

    @property
    def valid(self) -> tuple[str | None, ...]:
        """All keys of a result that is the one wanted now."""
        return self.now, self.going_on, self.former, self.whole


@dataclass(frozen=True)
class UnitCost:
    """What a unit of work will cost."""

    what: str
    """Such as `21 networks to evaluate`."""
    seconds: float | None
    """None if nothing is known yet."""


@dataclass(frozen=True)
class Unit:
    """One piece of work, such as one arm trained with one seed."""

    stage: str
    name: str
    """Unique within the run, such as `train/u-real/seed0`: for people and for the names of files."""
    made_from: MadeFrom
    """Everything besides other units that decides the result."""
    needs: tuple[str, ...]
    """Names of the units whose files it reads."""
    outputs: tuple[Path, ...]
    work: Callable[..., None]
    """Does it, given the study and the unit's keys."""
    left: Callable[[], Any] | None = None
    """Once it is done: a JSON-able value of all that other units read of it. They go by that, and so stay as they are
    where the unit is made again with the same result; without it, by what the unit is made from."""
    parts: Callable[[], dict[str, str]] | None = None
    """Once it is done: parts of that alone, for units that do not read all of it; empty if they are not known."""
    reads: Mapping[str, str] = field(default_factory=dict)
    """Which part of what a unit that it needs has left."""
    run: RunName | None = None
    """The network that it trains, evaluates or records."""
    is_quick: bool = False
    """Whether it takes next to no time beside others of its stage, so that theirs tells nothing of it."""
    domain: str | None = None
    """The domain that it reads, draws a probe of, evaluates or records on."""
    ends_by: frozenset[str] = frozenset()
    """Names of what it is made from that only say when it ends."""
    beside: tuple[Path, ...] = ()
    """Files that belong to its outputs, but without which it is done as well."""
    lists: Path | None = None
    """A file that it leaves, which lists further files with their checksums, see `gapscope.study.file_list`."""
    once_from: MadeFrom = field(default_factory=dict)
    """Settings that were part of what it is made from, and no longer are."""
    formerly: Any = field(default=None, repr=False)
    """What went into its key before, see `former_keys`."""
    costs: Callable[[], UnitCost] | None = field(default=None, repr=False)
    """What it will cost, where that can be said before any unit of its stage is done."""


def training_unit(run: RunName) -> str:
    """The name of the unit that trains a run."""
    return f"train/{run.arm}/seed{run.seed}"


@dataclass(frozen=True)
class Standing:
    """What is on record about a unit."""

    unit: Unit
    keys: UnitKeys
    needs: dict[str, str]
    """What the units that it needs have passed on."""
    record: dict[str, Any] | None
    known: bool
    """Whether the record is of the result that is wanted now."""
    missing: tuple[Path, ...]
    """Outputs that are not there."""
    damaged: tuple[Path, ...]
    """Files of its that are not what the unit has left there."""
    follows: tuple[str, ...]
    """Units that it needs and that have to be made first."""
    kept: Path | None
    """Where the result that is wanted was put aside, if it was."""
    passed_on: str
    """What units that need this one go by, unless they read a part."""
    parts: dict[str, str]
    """What they go by if they do."""
    whole_passed_on: str
    formerly_passed_on: str | None

    @property
    def done(self) -> bool:
        return self.known and not self.missing and not self.damaged and not self.follows

    @property
    def settled(self) -> bool:
        """Done, or to be taken back without work."""
        return self.done or self.kept is not None


def ledger(units: Sequence[Unit], folder: RunFolder, *, by_times: bool = False) -> dict[str, Standing]:
    """How every unit stands; each must come after those that it needs.

    A key is a hash of what the unit is made from and of what the units that it needs have left. The report tells of
    everything, so it goes by what they are made from.

    Args:
        units: In their order.
        folder: Of the run.
        by_times: Read no file that has its size and was not written after its record: for who only looks.
    """
    found: dict[str, Standing] = {}
    for unit in units:
        found[unit.name] = look_up(unit, found, folder, by_times=by_times)
    return found


class Below:
    """Which units of a study go by which, directly or through others."""

    def __init__(self, units: Sequence[Unit]) -> None:
        self.units = units
        self.needed_by: dict[str, list[str]] = {unit.name: [] for unit in units}
        for unit in units:
            for name in unit.needs:
                self.needed_by[name].append(unit.name)

    def of(self, unit: Unit) -> list[Unit]:
        """A unit and all that go by it, each after those that it needs."""
        wanted, queue = {unit.name}, [unit.name]
        while queue:
            new = set(self.needed_by[queue.pop()]) - wanted
            wanted |= new
            queue.extend(new)
        return [one for one in self.units if one.name in wanted]


def look_up(unit: Unit, before: dict[str, Standing], folder: RunFolder, *, by_times: bool = False) -> Standing:
    """How a unit stands, given those that it needs."""
    above = [before[name] for name in unit.needs]
    is_report = unit.stage == "report"
    told = {one.unit.name: one.keys.now if is_report else _told(one, unit) for one in above}
    whole = [one.keys.whole if is_report else one.whole_passed_on for one in above]
    formerly = [one.keys.former if is_report else one.formerly_passed_on for one in above]
    version, values = STAGE_VERSIONS[unit.stage], deciding(unit.made_from)
    rest = {name: value for name, value in values.items() if name not in unit.ends_by}
    keys = UnitKeys(
        hash_value([unit.stage, version, values, list(told.values())]),
        hash_value([unit.stage, version, rest, list(told.values())]),
        former_key(unit.stage, version, unit.made_from, unit.formerly, formerly),
        hash_value([unit.stage, version, values, whole]),
        tuple(_earlier_keys(unit, values, above, list(told.values()), formerly)) if unit.stage == "evaluate" else (),
        tuple(_keys_of_other_scores(unit, told, folder)) if unit.stage == "evaluate" else (),
        _key_with(unit, list(told.values())) if deciding(unit.once_from) else None,
    )
    record = folder.read_record(unit.name)
    key = None if record is None else record.get("key")
    known = key is not None and key in (keys.now, keys.former, keys.whole, keys.once)  # some of these are None
    missing = tuple(path for path in unit.outputs if not path.exists())
    damaged = tuple(damaged_files(unit, record, folder, by_times=by_times)) if known and record else ()
    follows = tuple(one.unit.name for one in above if not one.settled)
    kept = None if follows or (known and not missing and not damaged) else find_kept(folder, unit.name, keys.valid)
    stands = (record if known else folder.read_record(unit.name, kept) if kept else None) or {}
    left = stands.get("left")
    was = stands.get("formerly_left", left if unit.stage == "data" else None)
    return Standing(
        unit,
        keys,
        told,
        record,
        known,
        missing,
        damaged,
        follows,
        kept,
        passed_on=left or keys.now,
        parts=stands.get("parts", {}),
        whole_passed_on=left or keys.whole,
        formerly_passed_on=was or keys.former,
    )


def damaged_files(
    unit: Unit, record: Mapping[str, Any], folder: RunFolder, *, by_times: bool = False
) -> Iterator[Path]:
    """Outputs of a unit that are there and are not what they were, and what its list names and is gone or other than it
    was. Nothing is known of records of before there were checksums."""
    written = folder.record_of(unit.name).stat().st_mtime_ns if by_times else None
    sums = noted_checksums(unit, record, folder)
    for path in unit.outputs:
        noted = sums.get(path.relative_to(folder.root).as_posix())
        if noted is not None and path.exists() and not is_intact(path, noted, written):
            yield path
    noted = sums.get(unit.lists.relative_to(folder.root).as_posix()) if unit.lists is not None else None
    if unit.lists is not None and noted is not None:
        whole = is_intact(unit.lists, noted, written)
        yield from damaged_in_list(unit.lists, written) if whole else (unit.lists,)


def noted_checksums(unit: Unit, record: Mapping[str, Any], folder: RunFolder) -> dict[str, Checksum]:
    """The checksums in a unit's record.

    Raises:
        InputError: They are broken.
    """
    try:
        return parse_checksums(record)
    except OTHER_CONTENT:
        raise InputError(broken_record(folder.record_of(unit.name))) from None


def _earlier_keys(
    unit: Unit, values: dict[str, Any], above: list[Standing], told: list[str], formerly: list[str | None]
) -> Iterator[str]:
    """The keys of an evaluation under the versions whose detections it can take over, whatever it went by then."""
    tests = [one.parts.get("test", one.passed_on) if one.unit.stage == "data" else one.passed_on for one in above]
    for version in range(DETECTIONS_SINCE, STAGE_VERSIONS[unit.stage]):
        for needs in (told, tests, [one.whole_passed_on for one in above]):
            yield hash_value([unit.stage, version, values, needs])
        key = former_key(unit.stage, version, unit.made_from, unit.formerly, formerly)
        if key is not None:
            yield key


def _key_with(unit: Unit, told: list[str]) -> str:
    """The key with the settings that it was once made from, too."""
    return hash_value([unit.stage, STAGE_VERSIONS[unit.stage], deciding({**unit.made_from, **unit.once_from}), told])


def _keys_of_other_scores(unit: Unit, told: dict[str, str], folder: RunFolder) -> Iterator[str]:
    """The keys of an evaluation's results, standing or kept, that differ from what is wanted in `SCORES_ALONE`."""
    kept = sorted(folder.before(unit.name).glob(f"*/{KEPT_RECORD}"))
    for record in (folder.read_record(unit.name), *(folder.read_record(unit.name, path) for path in kept)):
        if record is None or record.get("version") != STAGE_VERSIONS[unit.stage] or record.get("needs") != told:
            continue
        then = record.get("made_from", {})
        decided = {name: part for name, part in unit.made_from.items() if name not in SCORES_ALONE}
        same = all(then.get(name, part.neutral) == part.value for name, part in decided.items())
        if same and not set(then) - set(unit.made_from):
            yield str(record.get("key"))


def _told(one: Standing, unit: Unit) -> str:
    """What a unit goes by of one that it needs."""
    return one.parts.get(unit.reads.get(one.unit.name, ""), one.passed_on)


def keys_of(units: Sequence[Unit], folder: RunFolder) -> dict[str, str]:
    """The key of every unit."""
    return {name: one.keys.now for name, one in ledger(units, folder).items()}


def pending(units: Sequence[Unit], folder: RunFolder) -> list[Unit]:
    """The units that are not done: never made, made from something else, or whose files are gone.

    Whatever is made from such a unit is pending too, unless the unit only has to be taken back.
    """
    return [one.unit for one in ledger(units, folder).values() if not one.done]


def note_done(standing: Standing, folder: RunFolder, seconds: float) -> None:
    """Put on record that a unit is finished, from what it was made, and the hash of what it left for others."""
    unit = standing.unit
    record = {
        "unit": unit.name,
        "stage": unit.stage,
        "key": standing.keys.now,
        "files": [path.relative_to(folder.root).as_posix() for path in unit.outputs],
        "seconds": round(seconds, 2),
        "version": STAGE_VERSIONS[unit.stage],
        "made_from": noted(unit.made_from),
        "needs": standing.needs,
        CHECKSUMS: checksums_of(unit, folder),
    }
    if unit.left is not None:
        record["left"] = hash_value(unit.left())
    if unit.parts is not None:
        record["parts"] = unit.parts()
    folder.write_record(unit.name, record)


def checksums_of(unit: Unit, folder: RunFolder) -> dict[str, Checksum]:
    """Of the files that a unit has just left. Whoever reads a run writes its page anew, so that has none."""
    return {} if unit.stage == "report" else note_checksums(folder.root, (*unit.outputs, *unit.beside))


def adopt(units: Sequence[Unit], folder: RunFolder) -> None:
    """Write records of finished units anew that have a former key, do not say what they were made from, or hold no
    checksums yet."""
    found: dict[str, Standing] = {}
    for unit in units:
        one = look_up(unit, found, folder)
        record = one.record
        if one.known and record is not None and not one.missing and record["key"] != one.keys.now:
            note_done(one, folder, float(record.get("seconds", 0)))
            new = folder.read_record(unit.name)
            assert new is not None
            if "left" not in record and "left" in new and unit.stage == "data":
                folder.write_record(unit.name, new | {"formerly_left": one.formerly_passed_on})
            one = look_up(unit, found, folder)
        elif one.known and record is not None and not one.missing and CHECKSUMS not in record:
            folder.write_record(unit.name, record | {CHECKSUMS: checksums_of(unit, folder)})
        found[unit.name] = one


def with_needs(name: str, units: Sequence[Unit]) -> list[Unit]:
    """A unit after all those that it needs, directly or through others, in the order in which they can be done."""
    by_name = {unit.name: unit for unit in units}
    wanted, queue = {name}, [name]
    while queue:
        needs = set(by_name[queue.pop()].needs) - wanted
        wanted |= needs
        queue.extend(needs)
    return [unit for unit in units if unit.name in wanted]
