"""The run folder: where everything lives, and what each part of it was made from.

Every unit of work (one domain, one arm with one seed, one recording, ...) leaves a record in `stages/` that holds its
key: a hash of the configuration it depends on and of the keys of the units it was made from. A unit whose record has
the right key and whose files are there is done; any other is made again.
"""

import json
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from filelock import FileLock, Timeout

from gapscope.errors import InputError
from gapscope.files import read_text, write_json


class RunName(NamedTuple):
    """One arm trained with one seed; prints as files and figures spell it, `u-real-seed0`."""

    arm: str
    seed: int

    def __str__(self) -> str:
        return f"{self.arm}-seed{self.seed}"


@dataclass(frozen=True)
class RunFolder:
    """Paths of a run; nothing is created by asking for them."""

    root: Path

    @property
    def given_config(self) -> Path:
        """The experiment as it was given."""
        return self.root / "experiment.toml"

    @property
    def config(self) -> Path:
        """The same with every default."""
        return self.root / "experiment.resolved.toml"

    @property
    def environment(self) -> Path:
        return self.root / "environment.json"

    @property
    def report(self) -> Path:
        return self.root / "report.html"

    @property
    def tables(self) -> Path:
        return self.root / "tables"

    @property
    def figures(self) -> Path:
        return self.root / "figures"

    @property
    def paper(self) -> Path:
        """Figures and tables as they go into a paper."""
        return self.root / "paper"

    @property
    def image_cache(self) -> Path:
        return self.root / "image-cache"

    def domain(self, name: str) -> Path:
        return self.root / "data" / name

    def annotations(self, domain: str) -> Path:
        return self.domain(domain) / "annotations.npz"

    def summary(self, domain: str) -> Path:
        """A domain in numbers."""
        return self.domain(domain) / "summary.json"

    def split(self, domain: str, split: str) -> Path:
        """The list of a split's images."""
        return self.domain(domain) / f"{split}.txt"

    def probe(self, domain: str) -> Path:
        return self.root / "probe" / f"{domain}.txt"

    def training(self, run: RunName) -> Path:
        """The folder of one training."""
        return self.root / "arms" / run.arm / f"seed{run.seed}"

    def weights(self, run: RunName) -> Path:
        """Those of the best epoch."""
        return self.training(run) / "weights.safetensors"

    def last_weights(self, run: RunName) -> Path:
        return self.training(run) / "last.safetensors"

    def metrics(self, run: RunName) -> Path:
        """A line per epoch."""
        return self.training(run) / "metrics.jsonl"

    def training_summary(self, run: RunName) -> Path:
        return self.training(run) / "summary.json"

    def evaluation(self, run: RunName, domain: str) -> Path:
        return self.root / "evaluation" / f"{run}--{domain}.json"

    def detections(self, run: RunName, domain: str) -> Path:
        return self.evaluation(run, domain).with_suffix(".detections.npz")

    def recording(self, run: RunName, probe: str, size: int) -> Path:
        return self.root / "recordings" / f"{run}--{probe}-{size}.nc"

    def grid(self, a: RunName, b: RunName, probe: str, size: int) -> Path:
        """All layers of one network against all layers of another."""
        return self.root / "similarity" / f"{a}--{b}--{probe}-{size}.nc"

    def effect(self, a: RunName, b: RunName, probe: str, size: int) -> Path:
        """Each layer of two networks between floor and ceiling."""
        return self.root / "similarity" / f"effect--{a}--{b}--{probe}-{size}.nc"

    @property
    def records(self) -> Path:
        """What each unit of work was made from."""
        return self.root / "stages"

    def record_of(self, unit: str) -> Path:
        return self.records / f"{unit.replace('/', '--')}.json"

    def read_record(self, unit: str) -> dict[str, Any] | None:
        """What is on record about a unit, or None.

        Raises:
            InputError: If the record is there but cannot be read.
        """
        path = self.record_of(unit)
        if not path.exists():
            return None
        try:
            return json.loads(read_text(path))
        except (OSError, ValueError):
            raise InputError(
                f"{path}: cannot be read as a stage record. Delete it, and the stage runs again."
            ) from None

    def is_done(self, unit: str, key: str, outputs: tuple[Path, ...]) -> bool:
        """Whether the unit was finished from the same inputs and all its files still stand."""
        record = self.read_record(unit)
        return record is not None and record.get("key") == key and all(path.exists() for path in outputs)

    def left_by(self, unit: str, key: str) -> str | None:
        """The hash of what a finished unit left for others, if there is one on record."""
        record = self.read_record(unit)
        return record.get("left") if record is not None and record.get("key") == key else None

    def write_record(
        self, unit: str, key: str, outputs: tuple[Path, ...], seconds: float, left: str | None = None
    ) -> None:
        """Note that the unit is finished, and the hash of what it left for others; call it last."""
        files = [str(path.relative_to(self.root)) for path in outputs]
        record = {"unit": unit, "key": key, "files": files, "seconds": round(seconds, 2)}
        write_json(self.record_of(unit), record | ({} if left is None else {"left": left}))

    def forget(self, unit: str) -> None:
        """Drop the record before the unit's files are replaced, so that a kill cannot leave a record of old files."""
        self.record_of(unit).unlink(missing_ok=True)

    @contextmanager
    def locked(self, part: Path | None = None) -> Iterator[None]:
        """Keep a second process out of the folder, or of a part of it, while this one works in it.

        Raises:
            InputError: If another process holds it.
        """
        place = part or self.root
        place.mkdir(parents=True, exist_ok=True)
        lock = FileLock(place / ".lock", timeout=0)
        try:
            lock.acquire()
        except Timeout:
            command = f"gapscope status {shlex.quote(str(self.root))}"
            raise InputError(
                f"{place}: another gapscope process is working in this {'run ' if part is None else ''}folder. "
                f"Wait for it (see: {command}), or choose another folder with --out."
            ) from None
        try:
            yield
        finally:
            lock.release()
