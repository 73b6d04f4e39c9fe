"""Run a study: check everything first, then do what is still to be done."""

from pathlib import Path

import tomli_w

from gapscope.config import Experiment
from gapscope.errors import InputError
from gapscope.files import write_json, write_text
from gapscope.progress import Progress, silent
from gapscope.study.environment import environment
from gapscope.study.folder import RunFolder
from gapscope.study.stages import units_of
from gapscope.study.study import Study
from gapscope.study.units import STAGES, do, pending


def run(
    experiment: Experiment,
    out: Path,
    *,
    config_text: str | None = None,
    data_root: Path | None = None,
    only: str | None = None,
    progress: Progress = silent,
) -> Path:
    """Run a study, or go on with it where it stopped.

    Args:
        experiment: What to do.
        out: The run folder. Units of work that stand there and were made from the same inputs are kept.
        config_text: The experiment file as given, kept beside the resolved one.
        data_root: Where relative `root` folders start.
        only: Do one stage: data, train, evaluate, record, compare or report.
        progress: Told how far the stages are.

    Returns:
        The path of the report.

    Raises:
        InputError: If anything the user gave is wrong; what can be checked beforehand is, before anything is written.
    """
    if only is not None and only not in STAGES:
        raise InputError(f"there is no stage '{only}'. The stages are: {', '.join(STAGES)}.")
    study = Study(experiment, RunFolder(out), data_root, progress)
    units = units_of(study)
    for unit in pending(units, study.folder):
        if unit.stage == "data":
            study.check_domain(unit.name.removeprefix("data/"))
    with study.folder.locked():
        write_settings(study, config_text)
        do(units, study.folder, only=only)
    return study.folder.report


def write_settings(study: Study, config_text: str | None) -> None:
    """Keep the experiment as given and with every default, and note where this is."""
    root = study.folder.root
    resolved = tomli_w.dumps(study.experiment.model_dump(mode="json", exclude_none=True))
    write_text(root / "experiment.toml", config_text if config_text is not None else resolved)
    write_text(study.folder.config, resolved)
    if not (root / "environment.json").exists():
        write_json(root / "environment.json", environment(study.device))
