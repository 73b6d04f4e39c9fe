"""Build the wheel so that two builds of the same sources are the same bytes, wherever and whenever they are made.

    python scripts/build_wheel.py [SOURCES [OUT]]          default: this repository, dist/

Times and rights in the archive are fixed; the version of setuptools is noted in it, so builds by another one differ.
Needs setuptools 77 or newer in this environment; nothing is downloaded.
"""

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

EPOCH = "946684800"
"""1 January 2000, the time of every file in the wheel."""
PARTS = ("pyproject.toml", "README.md", "LICENSE", "gapscope")


def build(sources: Path, out: Path) -> Path:
    """Build from a clean copy, so that nothing that lies about gets in; returns the wheel's path."""
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as name:
        copy, made = Path(name) / "sources", Path(name) / "made"
        copy.mkdir()
        for part in PARTS:
            place = sources / part
            if place.is_dir():
                shutil.copytree(place, copy / part, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(place, copy / part)
        for path in copy.rglob("*"):
            path.chmod(0o755 if path.is_dir() else 0o644)
        command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--disable-pip-version-check", "--no-deps"]
        command += ["--no-build-isolation", "--no-index", "--wheel-dir", str(made), str(copy)]
        subprocess.run(command, check=True, env=os.environ | {"SOURCE_DATE_EPOCH": EPOCH})
        (wheel,) = made.glob("*.whl")
        return Path(shutil.copy(wheel, out / wheel.name))


if __name__ == "__main__":
    root = Path(__file__).resolve().parents[1]
    given = [Path(argument) for argument in sys.argv[1:]]
    wheel = build(given[0] if given else root, given[1] if len(given) > 1 else root / "dist")
    print(f"{hashlib.sha256(wheel.read_bytes()).hexdigest()}  {wheel}")
