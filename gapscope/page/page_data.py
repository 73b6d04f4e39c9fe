"""Which numbers does the page's interactive part need? Plain lists and strings, ready for JSON."""

from collections.abc import Iterator
from typing import Any

from gapscope.detector.network_map import describe_layers
from gapscope.findings.results import Results
from gapscope.findings.tables import STATISTICS
from gapscope.page.influential_images import influence_data
from gapscope.page.network_strip import network_strip
from gapscope.page.performance_charts import performance_data
from gapscope.page.training_rows import training_curves
from gapscope.page.where_charts import rounded, where_data
from gapscope.run_folder import RunName


def page_data(results: Results) -> dict[str, Any]:
    """Everything the page draws: the network, curves, maps, images, statistics, training, performance."""
    classes, width = len(results.experiment.data.classes), results.experiment.model.width
    return {
        "layers": describe_layers(classes, width),
        "network": network_strip(classes, width),
        "sizes": list(results.sizes),
        "seeds": results.seeds,
        **where_data(results),
        "influence": influence_data(results),
        "statistics": list(_statistics(results)),
        "training": list(training_curves(results)),
        "performance": performance_data(results),
    }


def _statistics(results: Results) -> Iterator[dict[str, Any]]:
    """One per probe, run and size, with a column per statistic of the layers' outputs."""
    for probe, domain in enumerate(results.probes):
        seen = results.seen_at(domain)
        for arm_index, arm in enumerate(results.arms):
            for seed in results.seeds:
                for size in results.sizes:
                    recording = seen.statistics.get((RunName(arm, seed), size))
                    if recording is not None:
                        columns = {name: rounded(recording[name].values) for name in ("p", *STATISTICS)}
                        yield {"probe": probe, "arm": arm_index, "seed": seed, "size": size, **columns}
