"""What lies in a run folder, how large is it, and what is in it?"""

from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from gapscope.files import file_stats

CONTENTS = {
    "experiment.toml": "the experiment as it was given",
    "experiment.resolved.toml": "the same with every default",
    "environment.json": "versions, commit, device, command",
    "data-root.txt": "the folder at which relative roots of domains start",
    "appendix.html": "what few readers of the report ask for: tables beside the paper's, blocks, hashes, configuration",
    "report.md": "the report's sentences, to paste into an issue or a repository",
    "verdict.json": "the report's sentences with every number in them and its file",
    "data/*/summary.json": "a domain in numbers: counts, label map, distributions, leak check, fingerprint",
    "data/*/annotations.npz": "mapped and filtered boxes (numpy)",
    "data/*/*.txt": "image lists of the splits",
    "data/*/source-files.jsonl": "names, sizes and dates of the files that a domain was read from",
    "data/*/left_out.jsonl": "broken rows and images that were left out, one a line",
    "data/*/hood/*": "boxes on the driver's own hood that were removed, as a table and as pictures",
    "data/*": "generated images and their labels",
    "probe/*": "the images that every network looked at, in order, with their hash",
    "arms/*/weights.safetensors": "weights of the best epoch",
    "arms/*/last.safetensors": "weights of the last epoch",
    "arms/*/end.pt": "where a training stood when it ended, to go on for more epochs; may be deleted",
    "arms/*/metrics.jsonl": "one line per epoch: losses, validation mAP, speed",
    "arms/*/summary.json": "a training in numbers: best epoch, hashes",
    "arms/*": "checkpoints and logs of trainings",
    "evaluation/*.detections.npz": "detections in pixels of the original images (numpy)",
    "evaluation/*": "AP of every arm on every domain, with intervals, curves, confusion, kinds of errors",
    "recordings/*+*": "layers over the test images of two domains together (netCDF)",
    "recordings/*": "one Gram matrix per layer, layer statistics (netCDF)",
    "similarity/effect--*": "every layer between floor and ceiling (netCDF)",
    "similarity/*": "layer against layer, with floor and interval (netCDF)",
    "separability/*": "how well each layer tells two domains apart, with floor and interval (netCDF)",
    "tables/*": "Tables 1-5 as CSV, Markdown and LaTeX",
    "figures/*": "figures as PNG and PDF",
    "networks/*": "of a study of several networks: the page, figures and tables of each",
    "stages/*": "what each part was made from, and how long it took",
    "before/*": "results of other settings or data, taken back when those are; may be deleted",
    "image-cache/*": "images as the network sees them, to be read faster; may be deleted",
    "*": "other files",
}
"""Pattern of paths in a run folder (`*` stands for folders too) -> what such files hold; the first that fits counts."""
SELF = "report.html"
"""The page, which is still being written when this is looked at."""


@dataclass(frozen=True)
class FileGroup:
    """Files of one kind."""

    pattern: str
    holds: str
    files: tuple[tuple[str, int], ...]
    """(path in the run folder, bytes), sorted."""

    @property
    def size(self) -> int:
        """Bytes of all of them."""
        return sum(size for _, size in self.files)


def file_groups(run: Path) -> list[FileGroup]:
    """All files of a run folder by what they hold, in the order of `CONTENTS`; hidden ones and the page left out.

    Raises:
        InputError: If a folder cannot be listed.
    """
    found: dict[str, list[tuple[str, int]]] = {pattern: [] for pattern in CONTENTS}
    for path, size, _, _ in file_stats(run):
        if path != SELF and not path.rpartition("/")[2].startswith("."):
            found[next(pattern for pattern in CONTENTS if fnmatchcase(path, pattern))].append((path, size))
    return [FileGroup(pattern, CONTENTS[pattern], tuple(files)) for pattern, files in found.items() if files]
