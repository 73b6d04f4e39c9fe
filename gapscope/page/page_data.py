"""Which numbers does the page's interactive part need? Plain lists and strings, ready for JSON."""

from collections.abc import Iterator
from typing import Any

from gapscope.detector.network_map import LayerMap
from gapscope.findings.findings import Findings
from gapscope.findings.result_tables import STATISTICS
from gapscope.findings.results import Results
from gapscope.page.influential_images import influence_data
from gapscope.page.performance_charts import performance_data
from gapscope.page.training_charts import training_curves
from gapscope.page.where_charts import rounded, where_data
from gapscope.similarity.blocks import PAPER_BLOCKS


def page_data(findings: Findings) -> dict[str, Any]:
    """Everything the page draws: the network, curves, maps, images, statistics, training, performance."""
    results = findings.results
    network = results.layer_map(next(iter(results.recorded_arms), next(iter(results.experiment.arms))))
    return {
        "layers": list(network.layers),
        "network": network_strip(network),
        "sizes": list(results.sizes),
        "seeds": results.seeds,
        **where_data(findings.numbers),
        "influence": influence_data(findings.numbers),
        "statistics": list(_statistics(results)),
        "training": list(training_curves(findings)),
        "performance": performance_data(findings.numbers),
    }


def _statistics(results: Results) -> Iterator[dict[str, Any]]:
    """One per probe, run and size, with a column per statistic of the layers' outputs."""
    for probe, domain in enumerate(results.probes):
        seen = results.seen_at(domain)
        for run in results.runs():
            for size in results.sizes:
                recording = seen.statistics.get((run, size))
                if recording is not None:
                    columns = {name: rounded(recording[name].values) for name in ("p", *STATISTICS)}
                    arm = results.arms.index(run.arm)
                    yield {"probe": probe, "arm": arm, "seed": run.seed, "size": size, **columns}


def network_strip(network: LayerMap) -> dict[str, Any]:
    """What is drawn below a layer's curve, so that layers have a place in the network: its parts and connections.

    Returns:
        `blocks` (name, first, last, backbone) and `paper`, the blocks that the paper saw; `kinds` and `inputs` per
        layer (-1 is the image); `shortcuts` and `routes` as (layer that is read, layer that reads it), where a layer
        reads another than the one before it; `joins`, the routes that join a backbone map to the head; `detections`.
    """
    kinds = network.kinds
    skips = [(kinds[at], source, at) for at, sources in enumerate(network.inputs) for source in sources]
    skips = [(kind, source, at) for kind, source, at in skips if source != at - 1]
    return {
        "blocks": [
            {"name": b.name, "first": b.first, "last": b.last, "backbone": b.in_backbone} for b in network.blocks
        ],
        "paper": [list(block) for block in PAPER_BLOCKS] if network.is_yolov3 else [],
        "kinds": list(kinds),
        "inputs": [list(sources) for sources in network.inputs],
        "shortcuts": [[source, at] for kind, source, at in skips if kind == "shortcut"],
        "routes": [[source, at] for kind, source, at in skips if kind == "route"],
        "joins": list(network.joins),
        "detections": list(network.detections),
        "backboneLast": network.backbone_last,
    }
