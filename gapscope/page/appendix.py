"""What stands in the second file of a report: what its tables and figures are, and the blocks of layers."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from gapscope.detector.network_map import Block
from gapscope.findings.findings import Findings
from gapscope.findings.layer_blocks import BlockRow, in_words
from gapscope.page.provenance import data_uri
from gapscope.similarity.blocks import PAPER_BLOCKS

OTHER_DATA = "Other data, other classes and another mAP code: for orientation."
LAYER_MEANS = "Averaged over all layers of full-width YOLOv3, 200 images of BDD, {0} x {0} pixels."
PAPER_WORDS = {
    2: f"mAP on BDD (photographs) and GTAV (rendered), full-width YOLOv3 at 416 x 416 pixels. {OTHER_DATA}",
    3: LAYER_MEANS.format(416),
    4: LAYER_MEANS.format(32),
    5: "Biased CKA at 32 x 32 pixels, 200 images of BDD: compare with the biased rows only.",
}
"""Table -> what the paper's own one is of."""


@dataclass(frozen=True)
class BlocksSection:
    """Neighbouring layers that look alike, beside the architecture's blocks and the paper's."""

    blocks: Sequence[Block]
    found: Sequence[BlockRow]
    without_blocks: Sequence[tuple[str, str]]
    stages: str
    """The architecture's blocks, as ranges of layers."""
    paper: str
    """Those that the paper saw; empty of other networks than YOLOv3."""


def blocks_section(findings: Findings) -> BlocksSection:
    """From the findings of a run."""
    results = findings.results
    network = results.layer_map(next(iter(results.recorded_arms), next(iter(results.experiment.arms))))
    stages = in_words([(block.first, block.last) for block in network.blocks])
    paper = in_words(PAPER_BLOCKS) if network.is_yolov3 else ""
    return BlocksSection(network.blocks, findings.blocks, findings.without_blocks, stages, paper)


def figure_uris(folder: Path) -> dict[str, str]:
    """The run's figures as pictures, by name; none before there are any."""
    found = sorted(folder.glob("*.png"), key=lambda path: (len(path.stem), path.stem))
    return {path.stem: data_uri(path.read_bytes(), "image/png") for path in found}
