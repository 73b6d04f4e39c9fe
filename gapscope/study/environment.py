"""Where a run was made: versions, commit, device, cores."""

import os
import platform
import shlex
import subprocess
import sys
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path

from gapscope.version import __version__

LIBRARIES = ["torch", "torchvision", "numpy", "lightning-fabric", "scipy", "xarray", "embreex"]


def environment(device: str) -> dict[str, object]:
    """What `environment.json` holds; a library that is not installed is left out."""
    import torch

    return {
        "gapscope": __version__,
        "commit": commit(),
        "python": platform.python_version(),
        "libraries": {name: metadata.version(name) for name in LIBRARIES if _installed(name)},
        "torch": torch.__version__,
        "device": device,
        "device_name": torch.cuda.get_device_name() if device == "cuda" else platform.processor() or platform.machine(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "platform": platform.platform(),
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": shlex.join(["gapscope", *sys.argv[1:]]),
    }


def commit() -> str | None:
    """The git commit of gapscope's own source, with `+changes` if files differ from it; None outside a checkout."""
    folder = Path(__file__).resolve().parents[2]
    if not (folder / ".git").exists():
        return None
    try:
        head = subprocess.run(["git", "rev-parse", "HEAD"], cwd=folder, capture_output=True, text=True, check=True)
        dirty = subprocess.run(["git", "status", "--porcelain"], cwd=folder, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return head.stdout.strip() + ("+changes" if dirty.stdout.strip() else "")


def _installed(name: str) -> bool:
    try:
        metadata.version(name)
    except metadata.PackageNotFoundError:
        return False
    return True
