"""How was this made, how long did it take, and how can it be made again?"""

import base64
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import xarray as xr

from gapscope.findings.results import Results
from gapscope.findings.stage_times import StageTime, stage_times
from gapscope.page.pairs_shown import shown_pairs
from gapscope.page.run_files import FileGroup, file_groups
from gapscope.run_folder import RunName

MOST_GRID_BYTES = 300_000
"""A grid that takes more as a compressed file is not put on the page."""
ROOM_FOR_GRIDS = 1_500_000
"""Bytes of all such grids together."""
MOST_LISTED = 300
"""Files of one kind that are listed one by one."""


@dataclass(frozen=True)
class GridFile:
    """The similarity of two networks, as a file."""

    title: str
    path: str
    """In the run folder."""
    uri: str | None
    """What `compressed_grid` makes of it, as a data URI; None if that is too large."""


@dataclass(frozen=True)
class Provenance:
    """All that the page says of how a run was made."""

    command: str
    """That makes it again."""
    given: str
    """The experiment file as it was given; the resolved one if that is gone."""
    resolved: str
    config_files: tuple[tuple[str, str], ...]
    """(file name, data URI)."""
    hashes: tuple[tuple[str, str], ...]
    """(what, SHA-256)."""
    times: tuple[StageTime, ...]
    grids: tuple[GridFile, ...]
    files: tuple[FileGroup, ...]

    @property
    def seconds(self) -> float:
        """All stages together."""
        return sum(time.seconds for time in self.times)


def provenance(results: Results) -> Provenance:
    """How a run was made.

    Raises:
        InputError: If a stage record or a probe list is broken.
    """
    folder = results.run_folder
    resolved = folder.config.read_text(encoding="utf-8-sig", errors="replace")
    path = folder.given_config
    given = path.read_text(encoding="utf-8-sig", errors="replace") if path.is_file() else resolved
    return Provenance(
        command=_command(results),
        given=given,
        resolved=resolved,
        config_files=(
            (folder.given_config.name, data_uri(given.encode(), "text/plain;charset=utf-8")),
            (folder.config.name, data_uri(resolved.encode(), "text/plain;charset=utf-8")),
        ),
        hashes=tuple(_hashes(results)),
        times=tuple(stage_times(folder)),
        grids=tuple(_grids(results)),
        files=tuple(file_groups(results.folder)),
    )


def data_uri(content: bytes, kind: str) -> str:
    """A file that can be downloaded from the page."""
    return f"data:{kind};base64," + base64.b64encode(content).decode()


def _command(results: Results) -> str:
    roots = [domain.root for domain in results.experiment.domains.values() if domain.root]
    where = " --data-root FOLDER" if any(not Path(root).is_absolute() for root in roots) else ""
    return f"gapscope run experiment.toml --out {results.experiment.name}-again{where}"


def _hashes(results: Results) -> Iterator[tuple[str, str]]:
    for name, summary in results.summaries.items():
        yield f"data {name}", summary.fingerprint
    for domain in results.probes:
        path = results.run_folder.probe(domain)
        if path.is_file():
            first = path.read_text(encoding="utf-8", errors="replace").partition("\n")[0]
            yield f"probe {domain}", first.removeprefix("# sha256 ").strip()
    for run, training in results.trainings.items():
        if training.summary:
            yield f"weights {run}", training.summary.weights_sha256


def _grids(results: Results) -> Iterator[GridFile]:
    """The shown pairs of reported arms at the main size: the first seed's files, on the page while there is room."""
    folder, seed, size = results.run_folder, results.seeds[0], results.sizes[0]
    room = ROOM_FOR_GRIDS
    for a, b in shown_pairs(results):
        one, other = RunName(a, seed), RunName(b, seed)
        grid = results.grids.get((one, other, size))
        if grid is not None:
            small = compressed_grid(grid)
            fits = len(small) <= min(room, MOST_GRID_BYTES)
            uri = data_uri(small, "application/x-netcdf") if fits else None
            room -= len(small) if fits else 0
            title = f"{results.pair_title(a, b)}, seed {seed}, {size} pixels"
            yield GridFile(title, folder.grid(one, other, results.probe, size).relative_to(folder.root).as_posix(), uri)


def compressed_grid(grid: xr.Dataset) -> bytes:
    """A grid as a compressed netCDF file in single precision (7 digits), without the images' influence."""
    grid = grid.drop_vars(["influence", "image"], errors="ignore").drop_encoding()
    encoding = {
        str(name): {"dtype": "float32", "zlib": True, "complevel": 9, "shuffle": True}
        for name, values in grid.data_vars.items()
        if np.issubdtype(values.dtype, np.floating) and values.ndim
    }
    return bytes(grid.to_netcdf(engine="h5netcdf", encoding=encoding))
