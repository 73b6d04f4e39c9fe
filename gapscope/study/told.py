"""What should be known of the data before hours are spent on them: splits, leaks, names that were dropped."""

from collections.abc import Iterator, Mapping
from typing import Any

from gapscope.data.leak_shares import SEEN, Overlap, leak_advice
from gapscope.files import OTHER_CONTENT, read_json
from gapscope.run_folder import RunFolder
from gapscope.words import percent


def told_of_domain(folder: RunFolder, name: str) -> list[str]:
    """Lines for people about a domain whose data stage is done; none where it has left nothing that can be read."""
    try:
        summary = read_json(folder.summary(name))
        return list(_lines(name, summary))
    except OTHER_CONTENT:  # whoever needs the file says what is wrong with it
        return []


def _lines(name: str, summary: Mapping[str, Any]) -> Iterator[str]:
    images = ", ".join(f"{count:,} {split}" for split, count in summary["images"].items())
    yield f"{name}: {images} images ({summary['split']})"
    yield from (f"{name}: {note}" for note in summary.get("notes", ()))
    found = [Overlap(**overlap) for overlap in summary["leaks"].get("overlaps") or ()]
    leaking = [line for overlap in found for line in leak_lines(overlap)]
    yield from (f"{name}: {line}" for line in leaking)
    if leaking:
        yield f"{name}: {leak_advice(found)}"


def leak_lines(overlap: Overlap) -> Iterator[str]:
    """`12 of 180 test images (6.7 %) have a near-duplicate in train, such as a.png (b.png)`: a line for each way."""
    for key, words in SEEN.items():
        count = overlap.counts.get(key, 0)
        if count:
            held_out, seen = overlap.examples[key]
            yield (
                f"{count} of {overlap.images} {overlap.held_out} images ({percent(overlap.share(key), 1)}) "
                f"{words.format(overlap.seen_in)}, such as {held_out} ({seen})"
            )
