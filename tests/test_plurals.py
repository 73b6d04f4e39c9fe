"""One box, two boxes: counts are written with their nouns in one place, which knows that one is one."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import gapscope
from gapscope.words import number_of

PACKAGE = Path(gapscope.__file__).parent
ROOMS = ("commands", "data", "findings", "page", "several", "study")
"""Where people read sentences about their own data, which may be one image with one box."""
NOUNS = re.compile(
    r"^ (?:[a-z]+ ){0,2}?(?:images|boxes|problems|classes|arms|groups|epochs|rows|names|units|trainings|regions"
    r"|polygons|objects|splits|seeds|runs|layers|others|files)\b"
)
COUNTS = ("len", "sum", "int")
ALWAYS_SEVERAL = {
    "several/runs.py": "more than fit on a page; one title for one run is no mistake",
    "several/several_sentences.py": "several runs",
    "commands/study.py": "several runs side by side",
    "commands/instrument.py": "layers of a network",
    "data/readers/unread.py": "one file is said apart",
    "data/splits.py": "listed images",
    "data/subsets.py": "more than there are",
    "findings/gap_sentences.py": "classes, of which more than six are apart",
    "findings/confounds.py": "layers of a network",
    "study/proposal.py": "the limit of what is compared",
}


def counted() -> Iterator[tuple[str, str]]:
    """(file, text) of every count that a noun follows in the plural, whatever the count is."""
    for room in ROOMS:
        for path in sorted((PACKAGE / room).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.JoinedStr):
                    for value, after in zip(node.values, node.values[1:], strict=False):
                        if isinstance(value, ast.FormattedValue) and isinstance(after, ast.Constant):
                            called = value.value.func if isinstance(value.value, ast.Call) else None
                            name = getattr(called, "id", getattr(called, "attr", ""))
                            grouped = value.format_spec is not None and "," in ast.unparse(value.format_spec)
                            if (name in COUNTS or grouped) and NOUNS.match(str(after.value)):
                                yield path.relative_to(PACKAGE).as_posix(), ast.unparse(value) + str(after.value)[:40]


def test_a_count_that_may_be_one_knows_the_singular():
    assert {found for found in counted() if found[0] not in ALWAYS_SEVERAL} == set()
    assert set(ALWAYS_SEVERAL) <= {file for file, _ in counted()}  # no exception that is none any more


def test_one_is_one():
    assert [number_of(n, "box", "boxes") for n in (0, 1, 2, 1000)] == ["0 boxes", "1 box", "2 boxes", "1,000 boxes"]
