"""Weights files, and a run's test images or a labelled folder -> where the loss sits."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from gapscope.data.table import AnnotationTable
from gapscope.detector.guests import Network, load_network
from gapscope.detector.network import Darknet
from gapscope.detector.plans import input_side
from gapscope.evaluation.labelled import labelled_folder
from gapscope.grafting.cost import Cost, graft_cost
from gapscope.grafting.question import Question, question
from gapscope.grafting.result import GraftResult
from gapscope.grafting.where import Which, score_question
from gapscope.progress import Progress, silent
from gapscope.study.scoring import Chosen, Images, chosen_images
from gapscope.study.study import weights_file


@dataclass(frozen=True)
class Asked:
    """A question about weights files that has been checked, and the images that answer it."""

    question: Question
    chosen: Chosen
    unlabelled: AnnotationTable | None
    """Images on which statistics are estimated; None for those that are scored."""
    size: int
    """Side of the networks' input in pixels."""
    statistics: Sequence[Which]
    device: str
    about: Mapping[str, object]
    """The files and the images, as they were named."""

    def cost(self) -> Cost:
        """What the answer will cost."""
        chosen, kinds = self.chosen, len(self.statistics)
        return graft_cost(self.question, chosen.table, self.size, chosen.settings, kinds, self.device)

    def score(self, progress: Progress = silent) -> GraftResult:
        """The answer."""
        result = score_question(
            self.question,
            self.chosen.table,
            self.size,
            self.chosen.settings,
            headline=self.chosen.headline,
            statistics=self.statistics,
            unlabelled=self.unlabelled,
            device=self.device,
            progress=progress,
        )
        return result.with_facts(**self.about)


def ask_files(
    files: Mapping[str, Path | str],
    images: Images,
    *,
    blocks: str | None = None,
    untrained: bool = False,
    orders: int = 0,
    size: int | None = None,
    statistics: Sequence[Which] = ("own", "estimated"),
    device: str = "cpu",
) -> Asked:
    """Read networks and images, and check that they fit each other; `graft_blocks` says what the rest means.

    Args:
        files: Weights by their part: `host`, `donor` and where wanted `control` and `start` (a file, or `streets` for
            the backbone that comes with the package); `unlabelled`, a folder of images.
        images: The labelled ones.
        size: Side of the networks' input in pixels; left out, the .cfg's, the run's, or 416.

    Raises:
        InputError: A file cannot be read, or networks, layers and images do not fit each other.
    """
    host, donor, control = (
        load_network(files[name]) if name in files else None for name in ("host", "donor", "control")
    )
    assert host is not None and donor is not None
    start = weights_file(str(files["start"])) if "start" in files else None
    asked = question(host, donor, blocks=blocks, control=control, start=start, untrained=untrained, orders=orders)
    chosen = chosen_images(images, host.class_names)
    side = _side(host, size, chosen.size)
    unlabelled = None
    if "unlabelled" in files:
        unlabelled = labelled_folder(Path(files["unlabelled"]), host.class_names, format="unlabelled")
    about = {"images": str(images), "files": {name: str(path) for name, path in files.items()}}
    return Asked(asked, chosen, unlabelled, side, statistics, device, about)


def _side(host: Network, size: int | None, of_run: int | None) -> int:
    """Side of the images that the networks are shown."""
    if isinstance(host, Darknet):
        return input_side(host.plan, size or (None if host.plan.cfg else of_run))
    return size or of_run or int(host.settings["size"])
