"""What gapscope is made of as it is installed here, as a CycloneDX bill of materials (JSON) on standard output.

    python scripts/sbom.py > sbom.json

Every package that gapscope needs, directly or through others, with its version, licence and package URL. The same
environment gives the same bytes.
"""

import json
import sys
from importlib import metadata
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name


def needed(root: str) -> dict[str, metadata.Distribution]:
    """The package and all that it needs here, by name; extras are left out."""
    found: dict[str, metadata.Distribution] = {}
    waiting = [root]
    while waiting:
        name = canonicalize_name(waiting.pop())
        if name in found:
            continue
        try:
            found[name] = metadata.distribution(name)
        except metadata.PackageNotFoundError:  # not for this platform
            continue
        for text in found[name].requires or ():
            requirement = Requirement(text)
            if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
                waiting.append(requirement.name)
    return found


def component(name: str, package: metadata.Distribution, kind: str = "library") -> dict[str, Any]:
    """One package as CycloneDX has it."""
    about = package.metadata
    licence = about.get("License-Expression") or about.get("License") or "unknown"
    first = next(iter(licence.strip().splitlines()), "unknown")[:80]
    return {
        "type": kind,
        "name": name,
        "version": package.version,
        "licenses": [{"license": {"name": first}}],
        "purl": f"pkg:pypi/{name}@{package.version}",
    }


def bill(root: str = "gapscope") -> dict[str, Any]:
    """The bill of materials of a package."""
    packages = needed(root)
    own = packages.pop(canonicalize_name(root))
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {"component": component(root, own, "application")},
        "components": [component(name, packages[name]) for name in sorted(packages)],
    }


if __name__ == "__main__":
    json.dump(bill(), sys.stdout, indent=1)
    print()
