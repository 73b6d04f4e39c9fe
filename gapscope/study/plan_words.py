"""What is said of work that is to be done: which finished work goes, what is done, and how long that takes."""

from collections import defaultdict
from collections.abc import Iterator, Sequence

from gapscope.run_folder import RunFolder
from gapscope.showing import first_few
from gapscope.study.kept import STAGES_KEPT
from gapscope.study.plan import NAMED, Todo
from gapscope.words import duration


def replacing(todo: Sequence[Todo], folder: RunFolder) -> list[str]:
    """For people: finished work that is done again or taken back, with what changed and what it took."""
    again = [one for one in todo if one.how in ("again", "goes on", "perhaps")]
    back = [one for one in todo if one.how == "taken back"]
    lines = []
    if again:
        lines.append("finished before, and to be done again:")
        lines += [f"  {line}" for line in _grouped(again)]
        cost = sum(one.seconds or 0 for one in again if one.how == "again")
        perhaps = sum(one.seconds or 0 for one in again if one.how == "perhaps")
        rest = f" and perhaps {duration(perhaps)} more" if perhaps else ""
        lines.append(f"  {duration(cost)} of finished work in all{rest}")
    if any(one.unit.stage in STAGES_KEPT for one in again):
        lines.append(
            f"  what stands there now is kept in {folder.root / 'before'} and valid again when settings and data are; "
            "delete that folder to free the disk"
        )
    if back:
        lines.append(f"taken back as it was before, without work: {first_few([one.unit.name for one in back], NAMED)}")
    return lines


def to_graft(todo: Sequence[Todo]) -> list[str]:
    """For people: what the grafts that are still to be made will cost; nothing where there are none."""
    mine = [one for one in todo if one.unit.stage == "graft" and one.how != "taken back"]
    counts = [int(one.what.split()[0]) * (2 if "both" in one.what else 1) for one in mine if one.what]
    if not mine:
        return []
    seconds = [one.seconds for one in mine]
    known = [one for one in seconds if one is not None]
    time = f", about {duration(sum(known))} going by what evaluations took" if len(known) == len(mine) else ""
    evaluations = f"{sum(counts):,} evaluations of mixed networks" if counts else "evaluations of mixed networks"
    return [f"graft: {len(mine)} to do, {evaluations}{time}"]


def _grouped(todo: Sequence[Todo]) -> Iterator[str]:
    """A line for every change; units of a stage that only follow share one."""
    groups: dict[tuple[str, str, tuple[str, ...]], list[Todo]] = defaultdict(list)
    for one in todo:
        groups[one.unit.stage, one.how, one.why].append(one)
    for (stage, how, why), members in groups.items():
        took = f"(took {duration(sum(one.seconds or 0 for one in members))})"
        names = first_few([one.unit.name for one in members], NAMED)
        follows = "unless the data, once they are read again, are what they were" if how == "perhaps" else "follows"
        if not why and stage not in ("data", "train"):
            names = f"{stage}: {len(members)}" if stage != "report" else "report"
        yield f"{names}: {'; '.join(why) or follows} {took}"


def everything(todo: Sequence[Todo]) -> list[str]:
    """For people: a line for every unit that is to be done; many of a stage of which the same is said share one."""
    groups: dict[tuple[str, str], list[Todo]] = defaultdict(list)
    for one in todo:
        groups[one.unit.stage, _said(one)].append(one)
    lines = []
    for (_, said), members in groups.items():
        if len(members) > NAMED:
            lines.append(f"{first_few([one.unit.name for one in members], NAMED)}: {said}{_time(members)}")
        else:
            lines += [f"{one.unit.name}: {said}{_time([one])}" for one in members]
    known = [one.seconds for one in todo if one.how != "taken back"]
    return [*lines, _in_all(known) if known else "nothing is to be done"]


def _said(one: Todo) -> str:
    """What is said of a unit that is to be done, after its name."""
    words = {
        "anew": "not done yet",
        "again": "again",
        "perhaps": "again, unless the data, once they are read again, are what they were",
        "goes on": "longer",
        "taken back": "taken back as it was before, without work",
    }
    why = "; ".join(why for why in one.why if why != words["anew"])
    follows = ", since what it is made from is" if one.how == "again" else ""
    return words[one.how] + (f": {one.what}" if one.what else "") + (f": {why}" if why else follows)


def _time(members: Sequence[Todo]) -> str:
    """How long units of which the same is said take, or took; empty if nothing is known of one of them."""
    seconds = [one.seconds for one in members if one.seconds is not None]
    if len(seconds) < len(members):
        return ""
    return f" ({'about' if members[0].how == 'anew' else 'took'} {duration(sum(seconds))})"


def _in_all(seconds: Sequence[float | None]) -> str:
    """How many units are to be done and how long they take, as far as anything is known of that."""
    known = [one for one in seconds if one is not None]
    if not known:
        return f"{len(seconds)} to be done; how long that takes is known once the first of each stage are done"
    rest = f", and {len(seconds) - len(known)} of which nothing is known yet" if len(known) < len(seconds) else ""
    return f"{len(seconds)} to be done: about {duration(sum(known))}{rest}"
