"""Two detectors that were trained elsewhere and two folders of images -> a study of them, which trains nothing."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from gapscope.config import Split
from gapscope.detector.factories import is_guest
from gapscope.detector.file_kind import file_kind
from gapscope.detector.foreign_weights import foreign_tensors
from gapscope.detector.guests import built_with, guest_file
from gapscope.detector.weights import read_weights
from gapscope.errors import InputError
from gapscope.progress import Progress, silent
from gapscope.study.proposal import Proposal, name_lines, refusals_of, root_in_file, set_lines
from gapscope.study.proposed_facts import ProposedSplit, SetFacts, look_at_set
from gapscope.study.proposed_map import ProposedMap, propose_map
from gapscope.study.proposed_network import PAPER_SIZE, PROBE
from gapscope.study.proposed_text import SIDES, commented, domain_lines, file_name, noted, quoted

ALL_ARE_TESTS = Split(fractions=(0.0, 0.0, 1.0))
"""Of a set without splits: nothing is trained here."""


@dataclass(frozen=True)
class GivenDetectors:
    """Two trained networks of one make."""

    files: tuple[Path, Path]
    """Of the one that was trained on the real set, and of the other."""
    model: str
    """As `[model] name` has it."""
    width: float = 1.0
    classes: tuple[str, ...] = ()
    """In the order in which they number them; empty where nobody says."""
    size: int | None = None
    """Side of the input at which they were trained, in pixels, where that is known."""


def given_detectors(
    files: tuple[Path, Path], model: str = "", classes: Sequence[str] = (), size: int | None = None
) -> GivenDetectors:
    """What two files are, as far as they say it.

    Args:
        files: Of the detector that was trained on the real set, and of the other.
        model: Which network: one of torchvision's names, `module:factory`, a .cfg; gapscope's own files say it.
        classes: In the order in which they number them; gapscope's own files say it.
        size: Side of their input, in pixels.

    Raises:
        InputError: There is no such file, one of another make says nothing of its network, or the two differ.
    """
    said = [_said_by(file, model) for file in files]
    for key, of in (("network", said[0].model), ("width", said[0].width), ("classes", said[0].classes)):
        other = getattr(said[1], "model" if key == "network" else key)
        if other != of:
            raise InputError(
                f"{files[0]} and {files[1]} differ in {key}: {_words(of)} and {_words(other)} - expected two networks "
                "of one kind. Write a study of their detections, see 'Detectors that were trained elsewhere'."
            )
    one = replace(said[0], files=files)
    return replace(one, classes=tuple(classes) or one.classes, size=size or one.size)


def _said_by(file: Path, model: str) -> GivenDetectors:
    """What one file says of itself, or the user of it."""
    kind, files = file_kind(file), (file, file)
    about = guest_file(file)
    if about is not None:
        name, classes, size, width, _ = built_with(file, about, model)
        return GivenDetectors(files, model or name, width, tuple(classes), size)
    if is_guest(model):
        foreign_tensors(file, "--trained")
        return GivenDetectors(files, model)
    if kind == "darknet":
        return GivenDetectors(files, model or "yolov3")
    if kind == "torch" or model:
        raise InputError(
            f"{file}: nothing says which network its weights belong to - expected one of torchvision's detectors or a "
            "function of yours that builds it. Name it: --model fcos_resnet50_fpn, or --model my_models.py:build."
        )
    weights = read_weights(file)
    return GivenDetectors(files, weights.plan.name, weights.width, weights.class_names)


def _words(value: object) -> str:
    return ", ".join(value) if isinstance(value, tuple) else str(value)


def propose_given(
    real: Path,
    synthetic: Path,
    given: GivenDetectors,
    *,
    out: Path = Path("study.toml"),
    said: Mapping[str, Sequence[str]] | None = None,
    take_guesses: bool = False,
    progress: Progress = silent,
) -> Proposal:
    """Look at two sets and propose a study of two detectors on them; nothing is written.

    Args:
        real, synthetic: Folders of any format that `read_annotations` knows.
        given: The detectors.
        out: The file that the study will be in, which gives it its name.
        said: Class -> names of either set that belong to it, as people have said.
        take_guesses: Make guessed names part of the label map.
        progress: Told how many images are looked at.

    Raises:
        InputError: A folder cannot be read, or a class of the detectors has no names in the sets.
    """
    sets = _to_test(look_at_set(real, "real", progress)), _to_test(look_at_set(synthetic, "synthetic", progress))
    found = propose_map(sets[0].table.counts(), sets[1].table.counts(), said, take_guesses=take_guesses)
    known = found.labels(guesses=found.taken)
    classes = given.classes or tuple(known)
    missing = next((one for one in classes if one not in known), None)
    if missing is not None:
        raise InputError(
            f"class '{missing}' of the detectors: the sets share no such name, only {', '.join(known) or 'none'} - "
            f'expected its names in both. Say them: --map "{missing}=car,Vehicle".'
        )
    names = _of_classes(found, classes)
    text = "\n".join(_text(file_name(out), sets, names, given, classes)) + "\n"
    shown = [line for one in sets for line in set_lines(one)]
    shown += name_lines(names)
    shown.append(f"detectors  {given.model}: {' and '.join(str(file) for file in given.files)}; nothing is trained")
    return Proposal(text, tuple(shown), tuple(refusals_of(text, sets, out.name)))


def _to_test(facts: SetFacts) -> SetFacts:
    """A set without splits of its own is there to test on, whole."""
    if not facts.split.is_default or not facts.split.why.startswith("drawn anew"):
        return facts
    splits = {split: images[:0] for split, images in facts.splits.items()} | {"test": np.arange(len(facts.table))}
    why = "no splits are there, and nothing is trained here: all images are test images"
    return replace(facts, split=ProposedSplit(ALL_ARE_TESTS, why), splits=splits, overlaps=())


def _of_classes(found: ProposedMap, classes: Sequence[str]) -> ProposedMap:
    """The part of a map that belongs to these classes; other names belong nowhere."""
    members = tuple(one for one in found.members if one.label in classes)
    left = tuple(
        {**found.left[side], **{o.name: o.boxes for o in found.members if o.side == side and o not in members}}
        for side in (0, 1)
    )
    return replace(found, members=members, left=(left[0], left[1]))


def _text(
    name: str, sets: tuple[SetFacts, SetFacts], names: ProposedMap, given: GivenDetectors, classes: Sequence[str]
) -> Iterator[str]:
    size = given.size or PAPER_SIZE
    yield "# A study proposed by `gapscope init`: two detectors that were trained elsewhere."
    yield "#"
    yield "# Nothing is trained. Everything here may be changed; the documentation has every key. Lines that start with"
    yield "# '# GUESS' are not in force: where one is right, take these two words away."
    yield ""
    yield f"name = {quoted(name)}"
    yield from noted(
        "seeds = [0]",
        "one file an arm, so there is no ceiling; of two trainings each: seeds = [0, 1] and trained = [.., ..]",
    )
    yield ""
    yield "[data]"
    yield from noted(f"classes = {quoted(list(classes))}", "in the order in which the detectors number them")
    how = "as they were trained" if given.size else "the side at which they were trained? --size says another"
    yield from noted(f"image_size = {size}", f"pixels: {how}")
    yield ""
    yield "[model]"
    yield f"name = {quoted(given.model)}"
    if given.width != 1:
        yield f"width = {given.width:g}"
    for side in (0, 1):
        yield from domain_lines(side, sets[side], names, root_in_file(sets[side].root))
    yield ""
    yield from commented(
        "Only test images are looked at. They must be none that a detector was trained on; gapscope cannot know that."
    )
    for domain, file in zip(SIDES, given.files, strict=True):
        yield ""
        yield f"[arms.{domain}-detector]"
        yield from noted(f'domains = ["{domain}"]', "what it was trained on")
        yield f"trained = {quoted(file.resolve().as_posix())}"
    if not is_guest(given.model):
        yield ""
        yield from commented(
            "Where in the networks does the loss sit? Without this sign it is asked, and said how long that takes."
        )
        yield "# [graft]"
    yield ""
    yield "[probe]"
    yield from noted('domain = "real"', "both networks look at the same test images of this domain")
    yield f"images = {min(PROBE, len(sets[0].splits['test']))}"
    yield ""
    yield "[record]"
    yield f"sizes = [{size}]"
