"""Commands for scoring a network, or COCO results, by hand: evaluate."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gapscope.commands.app import app, chosen_device
from gapscope.commands.detector import Cfg, Names
from gapscope.commands.images import Several, takes_images
from gapscope.detector.thresholds import SCORED_CONFIDENCE, SCORED_OVERLAP, SHOWN_CONFIDENCE

if TYPE_CHECKING:
    from gapscope.study.scoring import Images


@app.command()
@takes_images
def evaluate(
    weights: Annotated[Path, typer.Argument(help="A .safetensors or .weights file, or COCO results (.json).")],
    images: "Images",
    ids: Annotated[
        Several, typer.Option(help="Of results: a COCO file, or class names, that explain their ids. Repeat it.")
    ] = None,
    merge: Annotated[Several, typer.Option(help='"vehicle=car,bus": scored as one. Repeat it.')] = None,
    size: Annotated[int | None, typer.Option(help="Input size; left out, the .cfg's, the run's, or 416.")] = None,
    confidence: Annotated[float, typer.Option(min=0, max=0.99, help="Least confidence of all.")] = SCORED_CONFIDENCE,
    nms_iou: Annotated[float, typer.Option(min=0.01, max=0.99, help="Of boxes over it, one stays.")] = SCORED_OVERLAP,
    operating_confidence: Annotated[
        float, typer.Option(min=0, max=0.99, help="Least to be confused.")
    ] = SHOWN_CONFIDENCE,
    bootstraps: Annotated[int, typer.Option(min=20, help="Resamples behind each interval.")] = 1000,
    cfg: Cfg = None,
    names: Names = None,
    device: Annotated[str, typer.Option(help="cpu, cuda, or auto for cuda where there is one.")] = "auto",
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Where the scores go (.json).")] = None,
    detections: Annotated[Path | None, typer.Option(help="Where the boxes go, as COCO results (.json).")] = None,
) -> None:
    """Score a network, or what any detector has found, on labelled images.

    AP of each class by the rules 'coco' and 'paper', with intervals over
    images drawn anew; AP by box size; the kinds of errors and what each
    costs. Classes are matched by name, never by number.

    Example: gapscope evaluate best.safetensors --data photos
    --map "car=car,van" --drop tram -o photos.json

    Example: gapscope evaluate results.json --data photos
    """
    from rich.console import Console

    from gapscope.config import Evaluate
    from gapscope.data.labels import parse_mapping
    from gapscope.detector.class_names import read_names
    from gapscope.evaluation.coco_results import is_results
    from gapscope.evaluation.score_tables import notes, score_tables
    from gapscope.progress import for_terminal
    from gapscope.study.scoring import check_outputs, score_weights
    from gapscope.study.scoring_results import refuse_options, score_results

    check_outputs(out, detections)
    settings = Evaluate(
        confidence=confidence, nms_iou=nms_iou, operating_confidence=operating_confidence, bootstraps=bootstraps
    )
    groups, progress = parse_mapping(merge or [], "--merge"), for_terminal()
    of_networks = {"--size": size, "--cfg": cfg, "--names": names, "--detections": detections}
    refuse_options(weights, of_networks, {"--ids": ids})
    if is_results(weights):
        done = score_results(weights, images, settings, ids=ids or [], groups=groups, progress=progress)
    else:
        done = score_weights(
            weights,
            images,
            settings,
            groups=groups,
            size=size,
            cfg=cfg,
            names=read_names(names) if names else None,
            device=chosen_device(device),
            detections=detections,
            progress=progress,
        )
    console = Console()
    for shown in score_tables(done.scores, f"{weights.name} on {images}"):
        console.print(shown)
    for line in [*notes(done.scores), *done.notes]:
        print(line)
    if detections is not None:
        print(f"all boxes, as COCO results: {detections}")
    if out is None:
        print("no scores were written; -o FILE.json keeps scores, curves and the confusion matrix")
        return
    done.write(out)
    print(f"scores, curves and the confusion matrix: {out}")
