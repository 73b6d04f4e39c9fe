"""Which names of two data sets mean the same? Equal ones are taken; all others are guesses, for people to confirm."""

import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from functools import cache
from pathlib import Path

from gapscope.errors import InputError
from gapscope.words import did_you_mean

Counts = Mapping[str, int]
"""A data set's names with their boxes."""

_FILE = Path(__file__).with_name("same_names.toml")
NEAR = 0.82
"""How alike two spellings are that may be one name: difflib's ratio of 2 x equal letters to all letters."""
SHORTEST = 5
"""Letters of the shortest name that may be a misspelt one: bus and bug are two words."""


@dataclass(frozen=True)
class Member:
    """A name of one of the two data sets, and the common label that it may belong to."""

    side: int
    """0 is the real set, 1 the synthetic one."""
    name: str
    boxes: int
    label: str
    why: str = ""
    """Why it may belong there; "" where both sets call it so, or people have said so."""


@dataclass(frozen=True)
class ProposedMap:
    """What becomes of every name that has boxes."""

    members: tuple[Member, ...]
    """Those of the common labels, guesses among them."""
    left: tuple[Counts, Counts]
    """Names of each set that belong nowhere."""
    taken: bool
    """Whether guesses are part of the map: they were asked for, or nothing else is in it."""

    @property
    def guesses(self) -> list[Member]:
        return [member for member in self.members if member.why]

    def labels(self, *, guesses: bool) -> list[str]:
        """The common labels with names in both sets, the most frequent first."""
        counts: dict[str, list[int]] = {}
        for member in self.members:
            if guesses or not member.why:
                counts.setdefault(member.label, [0, 0])[member.side] += member.boxes
        return sorted((label for label in counts if all(counts[label])), key=lambda label: -sum(counts[label]))

    def names(self, side: int, label: str, *, guesses: bool) -> list[Member]:
        """The names of one set that a common label stands for, the most frequent first."""
        found = [one for one in self.members if (one.side, one.label) == (side, label) and (guesses or not one.why)]
        return sorted(found, key=lambda member: -member.boxes)


def propose_map(
    real: Counts, synthetic: Counts, said: Mapping[str, Sequence[str]] | None = None, *, take_guesses: bool = False
) -> ProposedMap:
    """A map for two data sets.

    Args:
        real, synthetic: Their names with boxes.
        said: Common label -> names of either set, which people have given: these are no guesses.
        take_guesses: Make guesses part of the map; they are all the same if no name is in both sets and none is `said`.

    Raises:
        InputError: `said` names what neither set has, or no name of one set can belong with one of the other.
    """
    sides = ({name: n for name, n in real.items() if n}, {name: n for name, n in synthetic.items() if n})
    sure = [*_said(sides, said or {})]
    known = {(member.side, member.name) for member in sure}
    sure += [
        Member(side, name, sides[side][name], name)
        for name in sides[0]
        if name in sides[1] and not {(0, name), (1, name)} & known
        for side in (0, 1)
    ]
    found = _with_guesses(sides, sure)
    members = tuple(member for member in found if _is_shared(member.label, found))
    placed = {(member.side, member.name) for member in members}
    left = tuple({name: n for name, n in sides[side].items() if (side, name) not in placed} for side in (0, 1))
    if not members:
        listed = [", ".join(f"{name} ({n:,})" for name, n in side.items()) or "none" for side in sides]
        raise InputError(
            f"no name of the two sets means the same, as far as names tell. Real: {listed[0]}. Synthetic: {listed[1]}. "
            'Say what belongs together: --map "vehicle=car,bus,Vehicle", common label = names of either set.'
        )
    return ProposedMap(members, (left[0], left[1]), take_guesses or not any(not one.why for one in members))


def _said(sides: Sequence[Counts], said: Mapping[str, Sequence[str]]) -> Iterable[Member]:
    for label, names in said.items():
        for name in names:
            if not any(name in side for side in sides):
                known = sorted({*sides[0], *sides[1]})
                raise InputError(f"--map {label}: neither set has boxes of '{name}'.{did_you_mean(name, known)}")
            yield from (Member(i, name, side[name], label) for i, side in enumerate(sides) if name in side)


def _is_shared(label: str, members: Sequence[Member]) -> bool:
    return len({member.side for member in members if member.label == label}) == 2


def _with_guesses(sides: Sequence[Counts], sure: Sequence[Member]) -> list[Member]:
    """Guesses for the names that have no place: by meaning, then by spelling, then as kinds of a thing."""
    found = list(sure)
    placed = {(member.side, member.name) for member in sure}
    open_ones = [
        Member(i, name, n, *_thing(name))
        for i, side in enumerate(sides)
        for name, n in side.items()
        if (i, name) not in placed
    ]
    label_of = {_thing(member.label)[0]: member.label for member in reversed(sure)}
    plain_labels = {plain_name(member.label) for member in sure}
    for one in open_ones:  # beside a sure label
        if one.label in label_of:
            same = plain_name(one.name) in plain_labels
            why = f"written like '{label_of[one.label]}'" if same else one.why or f"means '{label_of[one.label]}'"
            found.append(replace(one, label=label_of[one.label], why=why))
    open_ones = [one for one in open_ones if one.label not in label_of]
    pairs = [one for one in open_ones if _is_shared(one.label, open_ones)]  # two that mean one thing
    found += [replace(one, why=one.why or "written otherwise in the other set") for one in pairs]
    open_ones = [one for one in open_ones if one not in pairs]
    for one in open_ones:
        label = _spelt_alike(one, found, open_ones)
        if label:
            found.append(replace(one, label=label, why=f"spelt like '{label}'"))
    return found + _kinds(found, [one for one in open_ones if not _has(found, one)])


def _has(members: Sequence[Member], one: Member) -> bool:
    return any((member.side, member.name) == (one.side, one.name) for member in members)


def _spelt_alike(one: Member, found: Sequence[Member], others: Sequence[Member]) -> str:
    """The label whose spelling is near: one that there is, or the real set's name for two that are left."""
    labels = {plain_name(member.label): member.label for member in found}
    across = {
        plain_name(other.name): (other if other.side == 0 else one).name for other in others if other.side != one.side
    }
    written = plain_name(one.name)
    near = get_close_matches(written, [*labels, *across], n=1, cutoff=NEAR) if len(written) >= SHORTEST else []
    return (labels | across)[near[0]] if near else ""


def _kinds(found: Sequence[Member], left: Sequence[Member]) -> list[Member]:
    """Where one set says vehicle, names of the other set that are kinds of vehicles and have no other place."""
    more: list[Member] = []
    for whole, parts in _meanings()[1].items():
        broad = [one for one in left if one.label == whole]
        if len({one.side for one in broad}) == 1 and not _is_shared(whole, found):
            kinds = [one for one in left if one.label in parts and one.side != broad[0].side]
            if kinds:
                more += [replace(one, why="all kinds of it in one") for one in broad]
                more += [replace(one, label=whole, why=f"a kind of {whole}") for one in kinds]
    return more


def _thing(name: str) -> tuple[str, str]:
    """What a name means, and how that is known: `("motorcycle", "means 'motorcycle'")`; as it is written, "" if it is
    no name of same_names.toml."""
    things = _meanings()[0]
    written = plain_name(name)
    if written in things:
        thing = things[written]
        return thing, "" if plain_name(thing) == written else f"means '{thing}'"
    near = get_close_matches(written, things, n=1, cutoff=NEAR) if len(written) >= SHORTEST else []
    if near:
        return things[near[0]], f"spelt like a word for '{things[near[0]]}'"
    return written, ""


def plain_name(name: str) -> str:
    """A name without case, signs and the s of a plural.

    >>> [plain_name(name) for name in ("Traffic_Lights", "traffic-light", "buses", "Bus", "glass")]
    ['trafficlight', 'trafficlight', 'bus', 'bus', 'glass']
    """
    letters = "".join(filter(str.isalnum, name.casefold()))
    if letters.endswith("sses") or letters.endswith("uses"):
        return letters[:-2]
    return letters[:-1] if len(letters) > 3 and letters.endswith("s") and not letters.endswith("ss") else letters


@cache
def _meanings() -> tuple[dict[str, str], dict[str, set[str]]]:
    """Plain name -> the thing that it means; thing -> what kinds of it are called."""
    content = tomllib.loads(_FILE.read_text(encoding="utf-8"))
    things = {plain_name(name): thing for thing, names in content["same"].items() for name in (thing, *names)}
    for whole, parts in content["parts"].items():
        things.setdefault(plain_name(whole), whole)
        for part in parts:
            things.setdefault(plain_name(part), part)
    return things, {whole: {things[plain_name(part)] for part in parts} for whole, parts in content["parts"].items()}
