"""What did the paper itself measure? Tables 2-5 of Ljungqvist et al., VISAPP 2022, to read beside a run's numbers.

The paper's CKA is the biased estimator at 32 x 32 pixels; its mAP follows another rule than `coco`.
"""

from typing import TypedDict


class PaperTable(TypedDict):
    """As printed."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


TABLE_2: PaperTable = {
    "columns": ("Model", "BDD, seed 0", "BDD, seed 1", "GTAV, seed 0", "GTAV, seed 1"),
    "rows": (
        ("U-Real", "0.428", "0.430", "0.440", "0.439"),
        ("U-Synthetic", "0.122", "0.124", "0.886", "0.893"),
        ("F-Synthetic", "0.125", "0.121", "0.892", "0.884"),
    ),
}
TABLE_3: PaperTable = {
    "columns": ("Model", "seed", "mean", "median", "std", "min", "max"),
    "rows": (
        ("U-Real", "0", "-0.0165", "-0.116", "0.961", "-21.8", "54.4"),
        ("U-Real", "1", "-0.0145", "-0.113", "0.959", "-21.0", "52.1"),
        ("U-Synthetic", "0", "-0.0272", "-0.113", "0.986", "-22.0", "52.4"),
        ("U-Synthetic", "1", "-0.0269", "-0.110", "0.995", "-22.3", "50.3"),
        ("F-Synthetic", "0", "-0.0263", "-0.111", "1.00", "-22.2", "51.0"),
        ("F-Synthetic", "1", "-0.0235", "-0.110", "0.983", "-23.2", "48.0"),
    ),
}
TABLE_4: PaperTable = {
    "columns": ("Model", "seed", "mean", "median", "std", "min", "max"),
    "rows": (
        ("U-Real", "0", "0.0613", "-0.105", "0.812", "-16.8", "36.8"),
        ("U-Real", "1", "0.0634", "-0.107", "0.817", "-17.0", "33.8"),
        ("U-Synthetic", "0", "0.0909", "-0.103", "0.743", "-15.3", "40.1"),
        ("U-Synthetic", "1", "0.0989", "-0.104", "0.720", "-15.8", "37.3"),
        ("F-Synthetic", "0", "0.0996", "-0.105", "0.726", "-15.0", "38.2"),
        ("F-Synthetic", "1", "0.0925", "-0.102", "0.731", "-15.2", "39.5"),
    ),
}
TABLE_5: PaperTable = {
    "columns": (
        "Models",
        "all, seed 0",
        "all, seed 1",
        "backbone, seed 0",
        "backbone, seed 1",
        "head, seed 0",
        "head, seed 1",
    ),
    "rows": (
        ("U-Real vs U-Synthetic", "0.5865", "0.5895", "0.6925", "0.7112", "0.3379", "0.3042"),
        ("U-Real vs F-Synthetic", "0.5734", "0.6054", "0.6931", "0.7318", "0.2930", "0.3092"),
        ("U-Synthetic vs F-Synthetic", "0.7597", "0.7845", "0.8264", "0.8461", "0.6115", "0.6508"),
    ),
}
PAPER_TABLES = {2: TABLE_2, 3: TABLE_3, 4: TABLE_4, 5: TABLE_5}
"""Tables 3 and 4 are at 416 x 416 and 32 x 32 pixels."""
