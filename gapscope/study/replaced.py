"""Results that give way to others, and those that come back: what `kept` keeps, for units of work."""

from gapscope.run_folder import RunFolder
from gapscope.study.file_list import remove_damaged
from gapscope.study.kept import STAGES_KEPT, keep_aside, take_back
from gapscope.study.units import Standing, Unit, damaged_files


def take_back_kept(one: Standing, folder: RunFolder) -> None:
    """Take back the kept result of a unit that is wanted again."""
    assert one.kept is not None
    put_aside(one.unit, folder)
    for path in one.unit.beside:  # of the result that was put aside; the other may have none of its own
        path.unlink(missing_ok=True)
    take_back(folder, one.unit.name, one.kept)


def put_aside(unit: Unit, folder: RunFolder) -> None:
    """Before a unit's files are replaced: keep the result that stands there, and drop its record.

    What is damaged is not kept, and is deleted, so that nothing goes on with it.
    """
    record = folder.read_record(unit.name)
    damaged = list(damaged_files(unit, record, folder)) if record is not None else []
    if record is not None and not damaged and unit.stage in STAGES_KEPT and all(path.exists() for path in unit.outputs):
        keep_aside(folder, unit.name, record, (*unit.outputs, *unit.beside))
    folder.forget(unit.name)
    for path in damaged:
        remove_damaged(path)
