"""A finished run -> docs/results/what-the-paper-could-not-see.md: which of the paper's statements survive on its data?

    python scripts/write_limits_page.py runs/road-vs-carla --data-root FOLDER --out docs/results --recordings FOLDER

Records all networks on the run's probe at the paper's sizes (recordings that are in the folder are read), compares them
with both estimators and writes the page and its pictures.
"""

import argparse
import sys
from pathlib import Path

from limits.at_size import AtSize, numbers_at
from limits.page import write_page
from limits.pictures import drawn, layers_at, overview, write_paper_figures, write_picture
from limits.recordings import PAPER_SIZES, record_all

from gapscope.errors import InputError
from gapscope.files import write_text
from gapscope.findings.results import Results
from gapscope.findings.run_reader import read_results
from gapscope.progress import PlainLines, Progress
from gapscope.run_folder import RunFolder

NAME = "what-the-paper-could-not-see"


def main(run: Path, data_root: Path, out: Path, recordings: Path, progress: Progress) -> Path:
    """Write the page and say where it is."""
    results = read_results(run)
    check(results)
    found = record_all(RunFolder(run), results.experiment, data_root, recordings, progress)
    by_size: list[AtSize] = []
    for size, networks in found:
        by_size.append(numbers_at(size, networks, results.experiment, recordings))
        progress("comparing", len(by_size), len({*PAPER_SIZES, results.experiment.data.image_size}), f"{size} px")
    pictures = out / NAME
    shown = {one.size: layers_at(results, one.size, one.grids) for one in by_size}
    names = {size: write_paper_figures(shown[size], size, pictures) for size in PAPER_SIZES}
    write_picture(drawn(overview(shown)), pictures / "overview.png")
    page = out / f"{NAME}.md"
    write_text(page, write_page(results, by_size, names, NAME))
    return page


def check(results: Results) -> None:
    """Refuse a run that has nothing to compare, or no ceiling.

    Raises:
        InputError: Naming what is missing.
    """
    run = results.folder
    if len(results.arms) < 2:
        raise InputError(f"{run} reports {len(results.arms)} arm, but comparing takes two or more.")
    if len(results.seeds) < 2:
        raise InputError(f"{run} has one seed, so there is no ceiling. Run the study with two or more seeds.")
    folder = RunFolder(run)
    for name in results.runs():
        if not folder.weights(name).is_file():
            raise InputError(f"{run} has no weights of {name.arm}, seed {name.seed}. Finish it with: gapscope run")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, help="a finished run")
    for option, meaning in {
        "--data-root": "where the domains' folders are",
        "--out": "where the page and the folder of its pictures go",
        "--recordings": "where recordings and numbers are kept",
    }.items():
        parser.add_argument(option, type=Path, required=True, help=meaning)
    given = parser.parse_args()
    try:
        print(main(given.run, given.data_root, given.out, given.recordings, PlainLines()))
    except InputError as error:
        print(f"write_limits_page: {error}", file=sys.stderr)
        sys.exit(2)
