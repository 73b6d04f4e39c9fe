"""What the live view of a run shows, as numbers and as pages. The run folder is read, neither locked nor changed."""

import threading
import time
from dataclasses import asdict
from hashlib import sha256
from pathlib import Path
from typing import Any

from gapscope.errors import InputError
from gapscope.findings.run_reader import read_results
from gapscope.page.embedding import embed, policy, source_hash
from gapscope.page.page import page_environment
from gapscope.run_folder import RunName
from gapscope.several.report import render_report
from gapscope.study.state import RunState, StageState, TrainingState, Watched
from gapscope.study.status import left
from gapscope.training.metrics import read_epochs
from gapscope.words import duration


class LiveView:
    """A run that is looked at while it goes on; several browsers may ask at a time."""

    def __init__(self, run: Path, data_root: Path | None = None) -> None:
        self.run = run
        self._watched = Watched(run, data_root)
        self._looking, self._rendering = threading.Lock(), threading.Lock()
        self._report: tuple[str, str] = ("", "")
        """The report's page and the version of the run that it shows."""

    def state(self, seen: str = "") -> dict[str, Any]:
        """What the page asks for every other second.

        Args:
            seen: The version of the training curves that the page has; they are sent again only if they have changed.

        Returns:
            JSON-able. `problem` says what is wrong with the run folder; then nothing else is known.
        """
        try:
            with self._looking:
                state = self._watched.state()
                curves = self._curves(state)
        except InputError as error:
            return {"problem": str(error), "now": time.time()}
        version = sha256(repr(curves).encode()).hexdigest()[:16]
        return {
            "problem": None,
            "now": time.time(),
            "changed": state.changed,
            "done": state.done,
            "title": state.experiment.title or state.experiment.name,
            "stages": [_stage(stage) for stage in state.stages],
            "trainings": [_training(training, state) for training in state.trainings],
            "report": report_version(state),
            "curves": None if version == seen else curves,
            "curvesVersion": version,
        }

    def _curves(self, state: RunState) -> list[dict[str, Any]]:
        """Loss and validation mAP of every training that has begun, epoch by epoch."""
        found = []
        for number, (arm, settings) in enumerate(state.experiment.arms.items()):
            for seed in state.experiment.seeds:
                epochs = read_epochs(self._watched.folder.metrics(RunName(arm, seed)))
                if epochs:
                    columns = {key: [line.get(key) for line in epochs] for key in ("epoch", "loss", "val_map50")}
                    found.append({"title": settings.title or arm, "arm": number, "seed": seed, **columns})
        return found

    def page(self) -> str:
        """The page around the report."""
        environment = page_environment("gapscope.watching")
        script = environment.get_template("live.js.j2").render()
        state = self.state()
        embedded = embed(script, {"layers": [], "state": state}, more="connect-src 'self'; frame-src 'self'")
        title = state.get("title", self.run.name)
        return environment.get_template("live.html.j2").render(embedded=embedded, title=title).strip() + "\n"

    def report(self) -> str:
        """The report of what is done so far, made again only when a stage, a training or an evaluation has finished."""
        with self._rendering:
            try:
                with self._looking:
                    version = report_version(self._watched.state())
                if self._report[1] != version:
                    self._report = render_report(read_results(self.run)), version
                return self._report[0]
            except InputError as error:
                return self._no_report(str(error))

    def _no_report(self, problem: str) -> str:
        environment = page_environment("gapscope.watching")
        return environment.get_template("no_report.html.j2").render(problem=problem, policy=policy(source_hash("")))


def report_version(state: RunState) -> str:
    """Changes when the report would: a stage has finished, or a training or an evaluation of many."""
    several = ("data", "train", "evaluate")
    return ", ".join(f"{s.name} {s.done if s.name in several else s.done == s.total}" for s in state.stages)


def _stage(stage: StageState) -> dict[str, Any]:
    texts = {"took": duration(stage.seconds) if stage.done else "", "left": left(stage.seconds_left)}
    return {**asdict(stage), **texts}


def _training(training: TrainingState, state: RunState) -> dict[str, Any]:
    title = state.experiment.arms[training.arm].title or training.arm
    return {**asdict(training), "title": title, "left": left(training.seconds_left)}
