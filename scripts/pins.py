"""Which exact versions the project is checked with: `make lock` keeps the newest, `make test-lowest` takes the lowest.

python scripts/pins.py lowest > FILE            # the lowest that pyproject.toml allows, as pip's constraints
python scripts/pins.py lock REPORT > FILE       # all that pip would install, from `pip install --report REPORT`
"""

import json
import sys
import tomllib
from pathlib import Path

from packaging.requirements import Requirement
from packaging.version import Version

PYPROJECT = Path(__file__).parents[1] / "pyproject.toml"
LOCK_HEADER = """\
# Made by `make lock`: what continuous integration installs, on Linux for x86_64 with Python 3.11 or newer.
# For the same anywhere else: pip install -c constraints.txt -e ".[dev]"
"""


def requirements(extra: str | None = None) -> list[Requirement]:
    """What the project needs, or one of its extras, with those that this one takes in."""
    project = tomllib.loads(PYPROJECT.read_text(encoding="utf-8"))["project"]
    listed = project["optional-dependencies"][extra] if extra else project["dependencies"]
    found = []
    for one in map(Requirement, listed):
        found += (
            [other for name in one.extras for other in requirements(name)] if one.name == project["name"] else [one]
        )
    return found


def lowest(needed: list[Requirement]) -> list[str]:
    """`name==version` of every requirement that has a least version."""
    pins = []
    for requirement in needed:
        least = [one.version for one in requirement.specifier if one.operator == ">="]
        pins += [f"{requirement.name}=={version}" for version in least]
    return sorted(pins)


def lock(report: dict) -> list[str]:
    """`name==version` of everything in a report of pip but the project itself.

    The build of a version (`2.6.0+cpu`) is left out: it names the place a wheel came from, and no other place has it.
    """
    found = [one["metadata"] for one in report["install"] if "dir_info" not in one["download_info"]]
    return sorted(f"{one['name'].lower()}=={Version(one['version']).public}" for one in found)


def main() -> None:
    match sys.argv[1:]:
        case ["lowest"]:
            print("\n".join(lowest(requirements())))
        case ["lock", path]:
            report = json.loads(Path(path).read_text(encoding="utf-8"))
            print(LOCK_HEADER + "\n".join(lock(report)))
        case _:
            sys.exit(__doc__)


if __name__ == "__main__":
    main()
