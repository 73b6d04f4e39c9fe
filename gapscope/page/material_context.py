"""What the page's sections on pictures, data, training and provenance are given."""

from typing import Any

from gapscope.findings.results import Results
from gapscope.page.domain_tables import LEAK_WORDS, domain_tables
from gapscope.page.marks import BOX_KINDS
from gapscope.page.pictures import galleries, sample_pictures
from gapscope.page.provenance import MOST_LISTED, provenance
from gapscope.page.training_rows import CURVES, not_begun, training_rows
from gapscope.paper.domain_figures import as_data_uri, domain_figures


def material_context(results: Results) -> dict[str, Any]:
    """Values by the names that templates use.

    Raises:
        InputError: If a file of the run folder, or an image, is broken.
    """
    return {
        "galleries": galleries(results),
        "box_kinds": BOX_KINDS,
        "domain_tables": domain_tables(results),
        "leak_words": LEAK_WORDS,
        "domain_figures": {name: as_data_uri(figure) for name, figure in domain_figures(results).items()},
        "samples": {domain: sample_pictures(results, domain) for domain in results.experiment.domains},
        "training": training_rows(results),
        "not_begun": not_begun(results),
        "training_quantities": CURVES,
        "provenance": provenance(results),
        "most_listed": MOST_LISTED,
    }
