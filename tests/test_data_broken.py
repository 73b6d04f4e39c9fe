"""Every broken input has its own clear message, and what is only unusual is read."""

import os
import re
from collections import Counter
from contextlib import contextmanager

import pytest
from broken_formats import BROKEN_FORMATS
from broken_inputs import BROKEN, UNUSUAL, Broken, Unusual

from gapscope.data.check import check_folder
from gapscope.data.images import check_decodes
from gapscope.data.readers.detect import read_annotations
from gapscope.errors import InputError

pytestmark = pytest.mark.slow

NOBODY = 65534


@contextmanager
def with_usual_rights(case, root):
    """Without the rights of an administrator, who may read every file, where that matters."""
    if os.geteuid() != 0 or "nobody" not in case.name:
        yield
        return
    check_folder(root)  # imports what it needs while Python's own files can be read
    for path in (root, *root.parents[:4]):  # one more above a worker's than without workers
        path.chmod(path.stat().st_mode | 0o055)
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.fixture
def folder(tmp_path):
    root = tmp_path / "set"
    root.mkdir()
    return root


@pytest.mark.parametrize("case", [*BROKEN, *BROKEN_FORMATS], ids=lambda case: case.name)
def test_a_broken_input_is_named_and_can_be_left_out(folder, case: Broken):
    case.build(folder)
    with with_usual_rights(case, folder):
        before = {path: path.lstat().st_mtime_ns for path in folder.rglob("*")}
        checked = check_folder(folder)
        assert {path: path.lstat().st_mtime_ns for path in folder.rglob("*")} == before, "a file was changed"
    said = [str(problem) for problem in checked.problems]
    assert any(re.search(case.says, text) for text in said), said
    assert all(len(text) < 1500 for text in said), "a message is too long to read"
    usable = None if checked.table is None else len(checked.table)
    assert usable == case.usable, said
    if case.boxes is not None:
        assert checked.table.num_boxes == case.boxes, said


REFUSED = [case for case in (*BROKEN, *BROKEN_FORMATS) if "nearly the name" not in case.says]
"""Names alike are told by the check, but are no reason to refuse."""


@pytest.mark.parametrize("case", REFUSED, ids=lambda case: case.name)
def test_strictly_read_a_broken_input_is_one_refusal(folder, case: Broken):
    case.build(folder)
    says = case.says.replace(": ", ":? ")  # a file that is looked at alone has no colon behind its name
    with with_usual_rights(case, folder), pytest.raises(InputError, match=says):
        table = read_annotations(folder)
        for i in range(len(table)):
            check_decodes(table.path(i))


@pytest.mark.parametrize("case", UNUSUAL, ids=lambda case: case.name)
def test_what_is_only_unusual_is_read(folder, case: Unusual):
    case.build(folder)
    checked = check_folder(folder)
    assert checked.problems == ()
    assert (len(checked.table), checked.table.num_boxes) == (case.images, case.boxes)


def test_the_corpus_is_large_and_its_cases_have_names_of_their_own():
    names = Counter(case.name for case in (*BROKEN, *BROKEN_FORMATS, *UNUSUAL))
    assert max(names.values()) == 1
    assert len(BROKEN) >= 60 and len(names) >= 100
    assert {case.name.split(":")[0].removeprefix("bdd-") for case in BROKEN_FORMATS} >= {"kitti", "viper", "det20"}
