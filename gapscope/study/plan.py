"""What a run is about to do, why, and what that costs: said before anything is replaced."""

import json
import statistics
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from gapscope.data.source_files import changed_files
from gapscope.intact import is_damaged
from gapscope.showing import first_few
from gapscope.study.domains import domain_root
from gapscope.study.made_from import REQUIRED, Part
from gapscope.study.stages import FILES
from gapscope.study.study import Study
from gapscope.study.units import STAGE_VERSIONS, Standing, Unit, UnitCost, ledger
from gapscope.training.checkpoint import Reached
from gapscope.training.going_on import would_come_here
from gapscope.training.metrics import EpochSums, read_epochs

LONGEST_VALUE = 60
"""Letters of a value that are shown."""
NAMED = 3
"""Units that one line names; more are counted."""


@dataclass(frozen=True)
class Todo:
    """A unit that is not done."""

    unit: Unit
    how: Literal["anew", "again", "perhaps", "goes on", "taken back"]
    """`again` and `goes on` replace a finished result; `perhaps` too, unless data that are read again are what they
    were; `taken back` puts a kept one in its place, without work."""
    why: tuple[str, ...]
    """What changed, from what to what; empty if it only follows from others."""
    seconds: float | None
    """That the finished result took; of one that is anew, the mean of its stage or what the unit says of itself; None
    if nothing is known."""
    what: str = ""
    """What it consists of, where its stage can say: `21 networks to evaluate`."""


def plan(study: Study, units: Sequence[Unit], *, by_times: bool = False) -> list[Todo]:
    """What is to be done, in the order in which it can be done. Reads the run folder, changes nothing.

    Args:
        study: The study.
        units: All of its units.
        by_times: See `ledger`.
    """
    found = ledger(units, study.folder, by_times=by_times)
    took: dict[tuple[str, bool], list[float]] = defaultdict(list)
    for one in found.values():
        if one.record is not None:
            took[one.unit.stage, one.unit.is_quick].append(_seconds(one.record))
    todo: dict[str, Todo] = {}
    for one in found.values():
        if not one.done:
            todo[one.unit.name] = _todo(one, study, todo, took[one.unit.stage, one.unit.is_quick])
    return list(todo.values())


def _todo(one: Standing, study: Study, before: dict[str, Todo], took: list[float]) -> Todo:
    unit, record = one.unit, one.record
    if one.kept is not None:
        return Todo(unit, "taken back", (), _seconds(study.folder.read_record(unit.name, one.kept) or {}))
    if record is None:
        cost = unit.costs() if unit.costs else UnitCost("", None)
        seconds = statistics.fmean(took) if took else cost.seconds
        return Todo(unit, "anew", ("not done yet",), seconds, cost.what)
    why = tuple(reasons(one, study))
    epoch = _goes_on_from(one, study)
    if epoch is not None:
        return Todo(unit, "goes on", (*why, f"goes on from epoch {epoch}"), _seconds(record))
    if why and _only_ends_otherwise(one):
        why += (f"from the start, since {_why_not(one, study)}",)
    above = [before[name] for name in one.follows]
    open_data = [todo.how == "perhaps" or (todo.unit.stage == "data" and todo.how == "again") for todo in above]
    how: Literal["again", "perhaps"] = "perhaps" if not why and above and all(open_data) else "again"
    return Todo(unit, how, why, _seconds(record))


def reasons(one: Standing, study: Study) -> Iterator[str]:
    """What is other than when a finished unit was made, apart from units that are to be made first."""
    unit, record = one.unit, one.record or {}
    for path in one.missing:
        yield f"{path.relative_to(study.folder.root)} is gone"
    hurt = [path.relative_to(study.folder.root).as_posix() for path in one.damaged]
    if hurt:
        yield f"{first_few(hurt, NAMED)} {'is' if len(hurt) == 1 else 'are'} damaged: not what this unit wrote there"
    if one.known:
        return
    if "made_from" not in record and one.follows:
        return  # whether more than what it follows has changed cannot be told before that is made
    if record.get("key") in one.keys.detected:
        now = STAGE_VERSIONS[unit.stage]
        yield f"version {now} of the stage gives other scores; stored detections are scored anew, no network is run"
        return
    if "made_from" not in record:
        yield "made from other settings or data, which were not noted then"
        return
    version = record.get("version")
    if version != STAGE_VERSIONS[unit.stage]:
        yield f"this gapscope gives other results (version {version} -> {STAGE_VERSIONS[unit.stage]} of the stage)"
    if record.get("key") in one.keys.rescored:
        yield "stored detections are scored anew, no network is run"
    yield from _other_settings(record["made_from"], unit, study)
    if unit.stage != "report":
        told = record.get("needs", {})
        for name in one.needs:
            if name not in one.follows and told.get(name) != one.needs[name]:
                yield f"{name} left something else" if name in told else f"needs {name} as well"


def _other_settings(then: dict[str, Any], unit: Unit, study: Study) -> Iterator[str]:
    """What the unit is made from now and was not then; a table that is new or gone as a whole is named alone."""
    before, now = {_table(name) for name in then}, {_table(name) for name in (*unit.made_from, *unit.once_from)}
    deciding = dict.fromkeys(_table(name) for name, part in unit.made_from.items() if part.decides)
    added = [table for table in deciding if _is_named(table) and table not in before]
    gone = [table for table in dict.fromkeys(map(_table, then)) if _is_named(table) and table not in now]
    if added:
        yield f"{first_few(added, NAMED)} {'is' if len(added) == 1 else 'are'} new"
    if gone:
        yield f"{first_few(gone, NAMED)} {'is' if len(gone) == 1 else 'are'} left out"
    for name, part in unit.made_from.items():
        if name == FILES and then.get(name) != part.value:
            yield _files(unit, study)
        elif name in then and then[name] != part.value:
            yield f"{name} {shown(then[name])} -> {shown(part.value)}"
        elif name not in then and part.decides and _table(name) not in added:
            yield f"{name} {_as_neutral(part)} -> {shown(part.value)}"
    for name in then:
        if name not in unit.made_from and name not in unit.once_from and _table(name) not in gone:
            yield f"{name} {shown(then[name])} -> left out"


def _table(name: str) -> str:
    """Which table of the file a setting stands in, such as `[arms.u-real]`; what is no setting is its own."""
    return name.partition("] ")[0] + "]" if name.startswith("[") else name


def _is_named(table: str) -> bool:
    """Whether it is one of several of its kind, as arms and domains are, so that its name says what came or went."""
    return table.startswith("[") and "." in table


def shown(value: Any) -> str:
    """A value as an experiment file has it, cut if it is long."""
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= LONGEST_VALUE else f"{text[:LONGEST_VALUE]}..."


def _as_neutral(part: Part) -> str:
    return "left out" if part.neutral is REQUIRED else shown(part.neutral)


def _files(unit: Unit, study: Study) -> str:
    assert unit.domain is not None
    domain = study.experiment.domains[unit.domain]
    root = domain_root(unit.domain, domain, study.folder, study.data_root)
    changed = changed_files(study.folder.source_files(unit.domain), root)
    return "its files are not those that were read; which ones was not noted then" if not changed else changed


def _goes_on_from(one: Standing, study: Study) -> int | None:
    """The epoch from which a finished training goes on that now may have more; None if it starts from the beginning."""
    unit, record = one.unit, one.record or {}
    then = record.get("made_from")
    if unit.run is None or then is None or not _only_ends_otherwise(one) or not _changed(one) <= unit.ends_by:
        return None
    if not study.folder.end_state(unit.run).exists() or is_damaged(study.folder.metrics(unit.run)):
        return None
    rows = read_epochs(study.folder.metrics(unit.run))
    if not rows:
        return None
    config, last = study.experiment.train_of(unit.run.arm), int(rows[-1]["epoch"])
    at = Reached(epoch=last, history=rows)
    if last == then["[train] epochs"] and last % config.validate_every:  # kept as it was before that validation
        at = Reached(epoch=last - 1, history=rows[:-1], running=EpochSums(batches=1))
    return last if would_come_here(at, config) else None


def _changed(one: Standing) -> set[str]:
    """Names of what a unit was made from otherwise."""
    then = (one.record or {}).get("made_from", {})
    other = {name for name, part in one.unit.made_from.items() if then.get(name, part.neutral) != part.value}
    return other | (set(then) - set(one.unit.made_from))


def _only_ends_otherwise(one: Standing) -> bool:
    """Whether a finished training differs from the one that is wanted only in when it may end."""
    record = one.record or {}
    if one.unit.run is None or one.unit.stage != "train" or one.known or one.missing or one.follows:
        return False
    same = record.get("needs") == one.needs and record.get("version") == STAGE_VERSIONS["train"]
    return same and "made_from" in record and _changed(one) <= {"[train] epochs", "[train] patience"}


def _why_not(one: Standing, study: Study) -> str:
    """Why a training that only ends otherwise does not go on where it ended."""
    assert one.unit.run is not None
    if not _changed(one) <= one.unit.ends_by:
        schedule = study.experiment.train.schedule
        return f'with schedule "{schedule}" every learning rate depends on how many epochs there are'
    if is_damaged(study.folder.metrics(one.unit.run)):
        return "its metrics.jsonl is damaged"
    if not study.folder.end_state(one.unit.run).exists():
        return "where it ended was not kept"
    return "it would have ended before"


def _seconds(record: dict[str, Any]) -> float:
    return float(record.get("seconds", 0))
