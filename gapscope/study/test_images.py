"""The test images of a run's domain, for looking at them again by hand."""

from pathlib import Path

from gapscope.config import Experiment
from gapscope.data.table import AnnotationTable
from gapscope.errors import InputError
from gapscope.experiment_file import read_config
from gapscope.run_folder import RunFolder
from gapscope.study.domain_files import load_domain, load_split
from gapscope.words import did_you_mean


def run_test_images(run: Path, domain: str, data_root: Path | None) -> tuple[Experiment, AnnotationTable]:
    """The experiment of a run folder, and the table of a domain's test images in their order.

    Raises:
        InputError: The folder is no run, it has no such domain, or its data stage has not been done.
    """
    folder = RunFolder(run)
    if not folder.config.is_file():
        raise InputError(f"{run} holds no run: {folder.config.name} is missing. Name a folder that a study was run in.")
    experiment = read_config(folder.config)
    if domain not in experiment.domains:
        known = did_you_mean(domain, list(experiment.domains))
        raise InputError(f"{run} has no domain '{domain}'.{known}")
    if not (folder.split(domain, "test")).is_file():
        raise InputError(f"{run}: the data stage of '{domain}' is not done. Do it with: gapscope run ... --only data")
    table = load_domain(domain, experiment.domains[domain], folder, data_root)
    return experiment, table.select(load_split(table, domain, "test", folder))
