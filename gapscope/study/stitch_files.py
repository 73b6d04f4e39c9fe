"""Weights files, and a run's test images or a labelled folder -> stitches between two networks."""

from collections.abc import Sequence
from pathlib import Path

from gapscope.detector.plans import input_side
from gapscope.detector.weights import load_weights
from gapscope.evaluation.labelled import labelled_folder
from gapscope.grafting.score_stitches import score_stitches
from gapscope.grafting.stitch import check_same_layers
from gapscope.grafting.stitch_result import StitchResult
from gapscope.progress import Progress, silent
from gapscope.study.scoring import Images, chosen_images


def stitch_files(
    front: Path,
    back: Path,
    images: Images,
    *,
    fit: Path | None = None,
    cuts: Sequence[int] | None = None,
    controls: bool = True,
    size: int | None = None,
    device: str = "cpu",
    progress: Progress = silent,
) -> StitchResult:
    """Read networks and images, and do what `score_stitches` says.

    Args:
        front: Weights whose front is asked about.
        back: Weights whose back goes on.
        images: The labelled ones.
        fit: A folder of images that stitches are fitted on, without labels; None: every other of the labelled ones.
        cuts: Layers behind which networks are cut; None: the usual ones.
        controls: Also an untrained front and noise.
        size: Side of the networks' input in pixels; left out, the .cfg's, the run's, or 416.
        device: Where the networks run.

    Raises:
        InputError: A file cannot be read, or networks and images do not fit each other.
    """
    one, other = load_weights(front), load_weights(back)
    check_same_layers(one, other)
    chosen = chosen_images(images, other.class_names)
    side = input_side(other.plan, size or (None if other.plan.cfg else chosen.size))
    unlabelled = None if fit is None else labelled_folder(fit, other.class_names, format="unlabelled")
    result = score_stitches(
        one,
        other,
        chosen.table,
        side,
        chosen.settings,
        headline=chosen.headline,
        fit=unlabelled,
        cuts=cuts,
        controls=controls,
        device=device,
        progress=progress,
    )
    files = {"front": str(front), "back": str(back)} | ({} if fit is None else {"fit": str(fit)})
    return result.with_facts(images=str(images), files=files)
