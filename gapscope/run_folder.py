"""The run folder: where everything lives, and what each part of it was made from.

Every unit of work (one domain, one arm with one seed, one recording, ...) leaves a record in `stages/` that holds its
key: a hash of the configuration it depends on and of the keys of the units it was made from. A unit whose record has
the right key and whose files are there is done; any other is made again.
"""

import os
import shlex
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from filelock import FileLock, Timeout

from gapscope.errors import InputError
from gapscope.files import OTHER_CONTENT, hash_value, read_json, write_json
from gapscope.intact import RECORDS

STAGES = ("data", "train", "evaluate", "record", "graft", "compare", "report")
"""Of a study, in the order in which they run; `--only` takes one of them. A study without [graft] grafts nothing."""
SEAL = "record_sha256"
"""In a record: the hash of the rest of it."""


class RunName(NamedTuple):
    """One arm trained with one seed; prints as files and figures spell it, `u-real-seed0`."""

    arm: str
    seed: int

    def __str__(self) -> str:
        return f"{self.arm}-seed{self.seed}"


def sealed(record: Mapping[str, Any]) -> dict[str, Any]:
    """A record with its own hash."""
    return {**record, SEAL: hash_value(record)}


def unsealed(record: Mapping[str, Any]) -> dict[str, Any]:
    """A record without its own hash, if it has one.

    Raises:
        ValueError: That is the hash of another record.
    """
    rest = {key: value for key, value in record.items() if key != SEAL}
    if record.get(SEAL, hash_value(rest)) != hash_value(rest):
        raise ValueError("it does not hold what was written there")
    return rest


def broken_record(path: Path) -> str:
    """What to say of a record that is none."""
    return f"{path}: cannot be read as a stage record. Delete it, and the stage runs again."


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
    def networks(self) -> Path:
        """What the layers of each arm's network are, where these are not those of YOLOv3."""
        return self.root / "networks.json"

    @property
    def environment(self) -> Path:
        return self.root / "environment.json"

    @property
    def data_root(self) -> Path:
        """Names the folder at which relative roots of domains started when the study was last run."""
        return self.root / "data-root.txt"

    @property
    def report(self) -> Path:
        return self.root / "report.html"

    @property
    def appendix(self) -> Path:
        """What few readers of the report ask for."""
        return self.root / "appendix.html"

    @property
    def report_text(self) -> Path:
        """The report's sentences as Markdown."""
        return self.root / "report.md"

    @property
    def verdict(self) -> Path:
        """The report's sentences with every number in them and its file."""
        return self.root / "verdict.json"

    @property
    def tables(self) -> Path:
        return self.root / "tables"

    @property
    def figures(self) -> Path:
        return self.root / "figures"

    def of_network(self, network: str) -> "RunFolder":
        """Where the page, figures and tables of one network lie, of a study of several; the rest is that of the run."""
        return RunFolder(self.root / "networks" / network)

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

    def file_list(self, domain: str) -> Path:
        """Checksums of the images and labels of a generated domain, as `sha256sum -c` reads them."""
        return self.domain(domain) / "files.sha256"

    def source_files(self, domain: str) -> Path:
        """Names, sizes and dates of the files that a domain of the user's was read from."""
        return self.domain(domain) / "source-files.jsonl"

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

    def end_state(self, run: RunName) -> Path:
        """Where the training stood when it ended: what it needs to go on for more epochs."""
        return self.training(run) / "end.pt"

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

    def recording_of_both(self, run: RunName, probe: str, other: str, size: int) -> Path:
        """A network over the probes of two domains together."""
        return self.root / "recordings" / f"{run}--{probe}+{other}-{size}.nc"

    def separability(self, run: RunName, probe: str, other: str, size: int) -> Path:
        """How well each layer of a network tells two domains apart."""
        return self.root / "separability" / f"{run}--{probe}+{other}-{size}.nc"

    def grafts(self, host: RunName, donor: RunName, domain: str) -> Path:
        """What layers of one network do in another, on a domain's test images."""
        return self.root / "grafts" / f"{host}--{donor}--{domain}.json"

    @property
    def records(self) -> Path:
        """What each unit of work was made from."""
        return self.root / RECORDS

    def record_files(self) -> list[Path]:
        """All records, sorted; a file that a killed process was still writing has a hidden name and is none."""
        return sorted(path for path in self.records.glob("*.json") if not path.name.startswith("."))

    def record_of(self, unit: str) -> Path:
        return self.records / f"{unit.replace('/', '--')}.json"

    def failure(self, unit: str) -> Path:
        """What an engine heard of a unit that failed."""
        return self.root / "failures" / f"{unit.replace('/', '--')}.txt"

    @property
    def jobs(self) -> Path:
        """What was handed to a scheduler of jobs, and what it said."""
        return self.root / "jobs"

    def before(self, unit: str) -> Path:
        """Where results of a unit are kept that others have replaced."""
        return self.root / "before" / unit.replace("/", "--")

    def read_record(self, unit: str, path: Path | None = None) -> dict[str, Any] | None:
        """What is on record about a unit, or None.

        Args:
            unit: Its name.
            path: Of the record, if it is not the one in `stages/`.

        Raises:
            InputError: If the record is there but cannot be read.
        """
        path = path or self.record_of(unit)
        try:
            return unsealed(read_json(path))
        except FileNotFoundError:
            return None
        except OTHER_CONTENT:
            raise InputError(broken_record(path)) from None

    def write_record(self, unit: str, record: dict[str, Any]) -> None:
        """Note that a unit is finished; to be called last."""
        write_json(self.record_of(unit), sealed(record))

    def forget(self, unit: str) -> None:
        """Drop the record before the unit's files are replaced, so that a kill cannot leave a record of old files."""
        self.record_of(unit).unlink(missing_ok=True)

    def refuse_links(self) -> None:
        """A run folder holds its files itself: a link in one that was passed on could lead anywhere.

        Not looked into: folders of the image cache, whose files nothing is written through, and files of a scheduler's
        jobs, which has links of its own there.

        Raises:
            InputError: Naming the first link.
        """
        waiting = [self.root]
        while waiting:
            here = waiting.pop()
            with suppress(FileNotFoundError, NotADirectoryError), os.scandir(here) as entries:
                for entry in entries:
                    if entry.is_symlink():
                        raise InputError(
                            f"{entry.path} is a link, and a run folder holds its files itself. Put what it leads to in "
                            "its place; to use another disk, let the whole folder lie there."
                        )
                    known = here == self.image_cache or Path(entry.path) == self.jobs
                    if entry.is_dir(follow_symlinks=False) and not known:
                        waiting.append(Path(entry.path))

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
