"""The notebooks run from top to bottom and show what they say they show."""

import ast
import base64
import io
from pathlib import Path

import nbformat
import pytest
from made_up_grafts import write_made_up_grafts
from made_up_run import write_made_up_run
from nbclient import NotebookClient
from PIL import Image

pytestmark = pytest.mark.slow

FOLDER = Path(__file__).parents[1] / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
RUN = "../runs/demo"
"""What the second and third notebook open."""


def read(name: str) -> nbformat.NotebookNode:
    return nbformat.read(FOLDER / name, as_version=4)


def executed(notebook: nbformat.NotebookNode, folder: Path) -> list[dict]:
    """Everything the notebook shows, by kind, after running it in a folder; a cell that fails is an error."""
    client = NotebookClient(notebook, timeout=300, kernel_name="python3", resources={"metadata": {"path": str(folder)}})
    client.execute()
    outputs = [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]
    assert {output.output_type for output in outputs} <= {"execute_result"}, "a cell prints or warns"
    return [output.data for output in outputs]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_a_notebook_is_kept_without_outputs(path):
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            assert cell.outputs == [] and cell.execution_count is None


def on_run(name: str, run: Path) -> nbformat.NotebookNode:
    """A notebook that opens this run in the place of the demo's."""
    notebook = read(name)
    assert any(RUN in cell.source for cell in notebook.cells if cell.cell_type == "code")
    for cell in notebook.cells:
        cell.source = cell.source.replace(RUN, str(run))
    return notebook


def test_there_are_three():
    expected = ["1-first-look.ipynb", "2-read-a-run.ipynb", "3-where-the-loss-sits.ipynb"]
    assert [path.name for path in NOTEBOOKS] == expected


@pytest.mark.slow
def test_the_first_look_shows_recording_curves_effects_and_images(tmp_path):
    pytest.importorskip("embreex", reason="renders the streets, and has no wheel for this processor")
    shown = executed(read("1-first-look.ipynb"), tmp_path)
    assert sum("image/png" in data for data in shown) == 8
    assert "13: conv1 ... turn" in next(data["text/html"] for data in shown if "Recording of camera" in str(data))
    summary = next(data["text/plain"] for data in shown if "effect_low" in data.get("text/plain", ""))
    rows = {line.split()[0]: [float(value) for value in line.split()[1:]] for line in summary.splitlines()[2:]}
    assert rows["conv1"][0] > 0.9, "the first layer sees edges and colours, whatever it was trained on"
    assert rows["turn"][0] < rows["conv1"][0]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_a_run_is_read_drawn_and_written_for_a_paper(tmp_path):
    run = write_made_up_run(tmp_path / "made-up", sizes=(160,))
    shown = executed(on_run("2-read-a-run.ipynb", run), tmp_path)
    assert "8 of 8 trainings, 12 evaluations" in shown[0]["text/plain"]
    assert "<caption" in shown[1]["text/html"] and "mAP on Camera" in shown[1]["text/html"]
    assert sum("image/png" in data for data in shown) == 4
    assert (tmp_path / "paper" / "one-column" / "effect.pdf").is_file()


@pytest.mark.slow
def test_three_curves_of_a_run_stand_below_each_other_and_are_put_in_words(tmp_path):
    run = write_made_up_run(tmp_path / "made-up", sizes=(160,))
    write_made_up_grafts(run)
    shown = executed(on_run("3-where-the-loss-sits.ipynb", run), tmp_path)
    assert "('u-synthetic-seed1', 'u-real-seed1', 'own')" in shown[0]["text/plain"]
    figure = base64.b64decode(next(data["image/png"] for data in shown if "image/png" in data))
    with Image.open(io.BytesIO(figure)) as image:
        assert image.height > 0.6 * image.width, "three panels, one below the other"
    assert "stage 3 gives back most, 7.0 AP points" in shown[2]["text/plain"]
    words = ast.literal_eval(shown[3]["text/plain"])
    assert [sentence.split(":")[0].rsplit(" a layer", 1)[0] for sentence in words] == [
        "How different",
        "How domain-bound",
        "How different",
    ]
    assert "gains" in shown[4]["text/plain"] and shown[5]["text/plain"].count("stage 3") == 2
