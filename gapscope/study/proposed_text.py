"""A proposed study as the text of an experiment file: every choice with its reason, every guess to be confirmed."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from textwrap import wrap

from gapscope.study.proposed_facts import SetFacts
from gapscope.study.proposed_map import Counts, Member, ProposedMap
from gapscope.words import number_of

SIDES = ("real", "synthetic")
"""Names of the two domains, in the order in which a map has them."""
NAMED = 8
"""Names that a comment lists; more are counted."""
WIDTH = 118
"""Letters of a line."""
YOLOV3_BACKBONES = ("yolov3", "yolov3-anchor-free")
"""Networks whose layers 0-74 are the backbone."""
NETWORK_WORDS = {"yolov3-anchor-free": "learns more of few images than the paper's: then --model yolov3"}


@dataclass(frozen=True)
class Sizes:
    """How large networks and images are to be, and why."""

    width: float
    image_size: int
    probe: int
    """Images on which layers are recorded."""
    why: str
    model: str
    """The network, as `[model] name` has it."""
    epochs: int | None = None
    """Of the recommended recipe; None for the defaults of [train], which are the paper's."""


@dataclass(frozen=True)
class Start:
    """Where arms start."""

    start: str
    """As an experiment file has it."""
    why: str


def study_text(
    name: str, sets: tuple[SetFacts, SetFacts], names: ProposedMap, sizes: Sizes, start: Start, roots: Sequence[str]
) -> str:
    """The text of study.toml.

    Args:
        name: Of the study.
        sets: The real and the synthetic data set.
        names: The label map.
        sizes, start: What is trained.
        roots: The folders as the file names them.
    """
    lines = [
        *_head(name),
        *_data(names, sizes),
        *(line for side in (0, 1) for line in domain_lines(side, sets[side], names, roots[side])),
        *_arms(start, "0-74" if sizes.model in YOLOV3_BACKBONES else "backbone"),
        *_rest(sizes),
    ]
    return "\n".join(lines) + "\n"


def quoted(value: str | Sequence[str]) -> str:
    """A text or a list of texts as TOML has it, which reads JSON's the same way."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def listed(counts: Counts, most: int = NAMED) -> str:
    """`tram (12), sky (3)`."""
    some = sorted(counts.items(), key=lambda item: -item[1])
    more = f" and {len(some) - most} more" if len(some) > most else ""
    return ", ".join(f"{name} ({boxes:,})" for name, boxes in some[:most]) + more


def noted(setting: str, comment: str) -> list[str]:
    """A line with its comment behind it; a long comment stands above it, on lines of its own."""
    text = " ".join(comment.split())
    line = f"{setting:<31} # {text}"
    if not text:
        return [setting]
    if len(line) <= WIDTH and len(text) <= WIDTH - 40:
        return [line]
    return [*commented(text), setting]


def commented(text: str) -> list[str]:
    """A comment on lines of its own."""
    return wrap(text, WIDTH, initial_indent="# ", subsequent_indent="#   ", break_long_words=False)


def _head(name: str) -> Iterator[str]:
    yield "# A study proposed by `gapscope init`: the same detector trained on real and on synthetic images."
    yield "#"
    yield "# Everything here may be changed; the documentation has every key, and defaults are the paper's. Lines"
    yield "# that start with # GUESS are not in force: where one is right, take these two words away."
    yield ""
    yield f"name = {quoted(name)}"
    yield from noted(
        "seeds = [0, 1]", "every arm is trained once per seed: what a change of seed does is the yardstick"
    )


def _data(names: ProposedMap, sizes: Sizes) -> Iterator[str]:
    sure, every = names.labels(guesses=names.taken), names.labels(guesses=True)
    yield ""
    yield "[data]"
    yield from noted(f"classes = {quoted(sure)}", "the common labels")
    if every != sure:
        yield from noted(f"# GUESS classes = {quoted(every)}", "with all guesses below, in place of those above")
    yield from noted(f"image_size = {sizes.image_size}", f"pixels, a multiple of 32; {sizes.why}")
    if sizes.model != "yolov3" or sizes.width != 1:
        yield ""
        yield "[model]"
    if sizes.model != "yolov3":
        yield from noted(f"name = {quoted(sizes.model)}", NETWORK_WORDS.get(sizes.model, ""))
    if sizes.width != 1:
        yield from noted(f"width = {sizes.width:g}", "share of YOLOv3's channels: what the start fits")
    if sizes.width != 1 and sizes.model == "yolov3":
        scale = f"anchor_scale = {sizes.image_size / 416:.3g}"
        yield from noted(scale, f"{sizes.image_size} / 416: Darknet's anchors are for 416 pixels")


def domain_lines(side: int, facts: SetFacts, names: ProposedMap, root: str) -> Iterator[str]:
    """The table of one of the two domains, with its labels."""
    table, domain = facts.table, SIDES[side]
    yield ""
    yield from noted(
        f"[domains.{domain}]", f"{number_of(len(table), 'image')}, {number_of(table.num_boxes, 'box', 'boxes')}"
    )
    yield f"title = {quoted(facts.root.resolve().name)}"
    yield f'role = "{facts.role}"'
    yield f"root = {quoted(root)}"
    yield f"format = {quoted(table.format)}"
    yield from _splits(facts)
    left = dict(names.left[side])
    if not names.taken:
        left |= {one.name: one.boxes for one in names.guesses if one.side == side}
    if left:
        yield from noted('drop = ["*"]', f"all that [domains.{domain}.labels] does not name, in boxes: {listed(left)}")
    if facts.left_out:
        yield from noted(
            "skip_bad = true",
            f"{facts.broken_words}; which: gapscope data check",
        )
    if facts.hood:
        yield from noted("# GUESS remove_hood = true", f"{facts.hood}: the own car? Look: gapscope data show")
    yield ""
    yield from noted(f"[domains.{domain}.labels]", "common label = this set's names for it")
    for label in names.labels(guesses=True):
        yield from _label(names, side, label)


def _splits(facts: SetFacts) -> Iterator[str]:
    counts = ", ".join(f"{split} {len(images):,}" for split, images in facts.splits.items())
    shown = facts.split.settings.model_dump(exclude_defaults=True)
    values = ", ".join(f"{key} = {json.dumps(value, ensure_ascii=False)}" for key, value in shown.items())
    if facts.split.is_default:
        yield from commented(f"splits: {counts}, {facts.split.why}")
    else:
        yield from noted(f"split = {{ {values} }}", f"{counts}: {facts.split.why}")
    if facts.groups:
        yield from noted(
            f"# GUESS groups = {quoted(facts.groups)}", "drives, if names begin so: splits keep them whole"
        )


def _label(names: ProposedMap, side: int, label: str) -> Iterator[str]:
    sure = names.names(side, label, guesses=names.taken) if label in names.labels(guesses=names.taken) else []
    every = names.names(side, label, guesses=True)
    if sure:
        why = _why(sure)
        yield from noted(_entry(label, sure), f"{_boxes(sure)}{f'; a guess, confirm it: {why}' if why else ''}")
    if every != sure:
        place = ", in place of the line above" if sure else ""
        yield from noted(f"# GUESS {_entry(label, every)}", f"{_boxes(every)}{place}: {_why(every)}")


def _entry(label: str, members: Sequence[Member]) -> str:
    key = label if label.replace("-", "").replace("_", "").isalnum() and label.isascii() else quoted(label)
    return f"{key} = {quoted([one.name for one in members])}"


def _boxes(members: Sequence[Member]) -> str:
    return number_of(sum(one.boxes for one in members), "box", "boxes")


def _why(members: Sequence[Member]) -> str:
    """`car, bus: a kind of vehicle; auto: spelt like 'car'`."""
    reasons: dict[str, list[str]] = {}
    for one in members:
        if one.why:
            reasons.setdefault(one.why, []).append(one.name)
    return "; ".join(f"{', '.join(some)}: {why}" for why, some in reasons.items())


def _arms(start: Start, backbone: str) -> Iterator[str]:
    yield ""
    yield from noted("[arms.u-real]", start.why)
    yield 'domains = ["real"]'
    yield f"start = {quoted(start.start)}"
    yield ""
    yield "[arms.u-synthetic]"
    yield 'domains = ["synthetic"]'
    yield f"start = {quoted(start.start)}"
    yield ""
    yield "[arms.f-synthetic]"
    yield 'domains = ["synthetic"]'
    yield f"start = {quoted(start.start)}"
    yield from noted(f"freeze = {quoted(backbone)}", "the backbone stays as it is")


def _rest(sizes: Sizes) -> Iterator[str]:
    if sizes.epochs is not None:
        yield ""
        yield "[train]"
        yield from noted('preset = "recommended"', "AdamW, 1e-3, cosine; left out, the paper's: Adam, 1e-4, 100 epochs")
        yield from noted(
            f"epochs = {sizes.epochs}",
            "20 to 100, for 1,200 steps; the rate falls until the last one, which is mostly the best",
        )
    yield ""
    yield "[probe]"
    yield from noted('domain = "real"', "every network looks at the same test images of this domain")
    yield f"images = {sizes.probe}"
    yield ""
    yield "[record]"
    yield f"sizes = {sorted({sizes.image_size, 32}, reverse=True)}"


def file_name(path: Path) -> str:
    """A study's name from that of its file: `my study.toml` is called my-study."""
    words = "".join(letter if letter.isascii() and letter.isalnum() else " " for letter in path.stem).split()
    return "-".join(words) or "study"
