"""Class names in the order of a network's classes: given, made up, or from a file (Darknet's `.names`, one a line)."""

from collections.abc import Sequence
from pathlib import Path

from gapscope.data.problems import OBEYED, writable
from gapscope.detector.plans import Plan
from gapscope.errors import InputError
from gapscope.files import read_text


def read_names(path: Path | str) -> list[str]:
    """The names of a file; empty lines at its end do not count.

    Raises:
        InputError: If the file is missing, no text, holds no name, an empty line between names, or a name twice.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"{path}: there is no such file of class names. Check the path.")
    try:
        text = read_text(path)
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is no text in UTF-8 - expected one class name a line. Save it as UTF-8.") from error
    names = [line.strip() for line in text.rstrip().splitlines()]
    if not any(names):
        raise InputError(f"{path} holds no name - expected one class name a line. Write them into it.")
    seen: dict[str, int] = {}
    for line, name in enumerate(names, start=1):
        if not name:
            raise InputError(f"{path}, line {line}: empty, between names - every class has a name. Remove the line.")
        if name in seen:
            raise InputError(f"{path}, line {line}: {name!r} stands in line {seen[name]} too - remove one of them.")
        seen[name] = line
    return names


def names_for(plan: Plan, names: Sequence[str] | None) -> tuple[str, ...]:
    """The class names of a network of this plan: those given, or class0, class1, ...

    Raises:
        InputError: If there are more or fewer than its yolo layers tell apart.
    """
    if names is None or not plan.classes:
        return tuple(f"class{i}" for i in range(plan.classes))
    if len(names) != plan.classes:
        raise InputError(
            f"{len(names)} class names are given, but {plan.name} tells {plan.classes} classes apart - expected one "
            "for each. Use the names that belong to it."
        )
    return tuple(names)


def class_names_of(classes: Sequence[str] | int) -> list[str]:
    """Class names in order; made up where there is only a number."""
    names = [f"class{i}" for i in range(classes)] if isinstance(classes, int) else list(classes)
    check_names(names)
    return names


def check_names(names: Sequence[str]) -> None:
    """Refuse class names that are not all there and different."""
    doubled = sorted({name for name in names if names.count(name) > 1})
    if doubled:
        raise InputError(f"class {doubled[0]!r} is listed more than once - every class has one place. Remove one.")
    obeyed = next((name for name in names if OBEYED.search(name)), None)
    if obeyed is not None:
        raise InputError(f"class {writable(obeyed)} holds characters that a terminal obeys. Rename it.")
    if not all(names):
        raise InputError("a class has an empty name - every class needs one. Name it, or give the number of classes.")
