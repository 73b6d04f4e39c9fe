"""A study: an experiment at a place, with what the stages share besides the files of the run folder."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from gapscope.config import Experiment
from gapscope.data.image_cache import ImageCache
from gapscope.errors import InputError
from gapscope.progress import Progress, silent
from gapscope.run_folder import RunFolder
from gapscope.study.domains import PreparedDomain, domain_root, prepare_domain
from gapscope.study.probe import check_probe
from gapscope.training.logs import check_installed
from gapscope.training.processes import check_devices, device_kind, num_devices

Shared = TypeVar("Shared")
STREETS_BACKBONE = Path(__file__).parents[1] / "detector" / "streets.safetensors"
"""The backbone that comes with gapscope; `docs/streets-backbone.md` says how it was trained."""


STREETS_WIDTH = 0.25
DARKNET53 = "darknet53.conv.74 (162,482,580 bytes), https://pjreddie.com/media/files/darknet53.conv.74"
"""Its size follows from the layers that it fills."""


@dataclass
class Study:
    """What a unit of work is given."""

    experiment: Experiment
    folder: RunFolder
    data_root: Path | None = None
    progress: Progress = silent
    prepared: dict[str, PreparedDomain] = field(default_factory=dict)
    """Domains that were read while the experiment was checked, so that they are not read twice."""
    last: tuple[str, Any] = ("", None)
    """What units that follow each other share, by its name."""

    def __getstate__(self) -> dict[str, object]:
        """What another process gets: it reports its own progress, and reads what it needs from the run folder."""
        return vars(self) | {"progress": silent, "prepared": {}, "last": ("", None)}

    def once(self, name: str, make: Callable[[], Shared]) -> Shared:
        """What was made under this name if it was the last, or else what is made now; one is held at a time."""
        if self.last[0] != name:
            self.last = name, make()
        made: Shared = self.last[1]
        return made

    @property
    def device(self) -> str:
        """Where networks run: `cuda`, `mps` or `cpu`."""
        return device_kind(self.experiment.train)

    @property
    def image_cache(self) -> ImageCache | None:
        """The folder where letterboxed images are kept, if the experiment asks for one."""
        data = self.experiment.data
        if data.cache != "disk":
            return None
        named = Path(data.cache_folder).expanduser() if data.cache_folder else None
        return ImageCache(named or self.folder.image_cache)

    def check_training(self, jobs: int = 1, *, devices: bool = True) -> None:
        """Refuse devices, loggers or a division of the work that this machine cannot give.

        Args:
            jobs: Trainings at a time.
            devices: Whether trainings run on this machine's devices.

        Raises:
            InputError: Naming what is missing.
        """
        train = self.experiment.train
        check_installed(train.loggers)
        if not devices:
            return
        check_devices(train)
        if jobs > 1 and num_devices(train) > 1:
            raise InputError(
                f"jobs = {jobs} and [train] devices = {train.devices}: either several trainings at a time or several "
                "devices for one. Leave out --jobs, or set devices = 1."
            )

    def check_domain(self, name: str) -> None:
        """Read a domain of the user's, so that mistakes show before anything is written.

        Raises:
            InputError: If its folder, a label file, the label map, the split or the size of the probe is wrong.
        """
        domain = self.experiment.domains[name]
        if domain.generate is None:
            root = domain_root(name, domain, self.folder, self.data_root)
            if self.image_cache and self.image_cache.folder.resolve().is_relative_to(root):
                raise InputError(
                    f"[data]: the image cache {self.image_cache.folder} lies in {root}, the root of domain '{name}', "
                    "whose files are not to change. Name another cache_folder."
                )
            self.prepared[name] = prepare_domain(name, domain, self.experiment.data, root)
            if name in (self.experiment.probe.domain, *self.experiment.probe.further):
                check_probe(self.experiment, name, len(self.prepared[name].splits["test"]))


def weights_file(start: str) -> Path:
    """The file that an arm's `start` means.

    Raises:
        InputError: If it is not there.
    """
    path = STREETS_BACKBONE if start == "streets" else Path(start)
    if not path.is_file():
        raise InputError(
            f"start = '{start}': there is no such weights file. Two starts need none: 'streets', which fits [model] "
            f"width = {STREETS_WIDTH}, and 'scratch'. Darknet-53 after ImageNet, for width 1, is {DARKNET53}."
        )
    return path
