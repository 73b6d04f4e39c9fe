"""The page on grafts: an answer for every host, the figure, and the words that say how far it may be believed."""

from types import SimpleNamespace

import numpy as np
import pytest
from made_up_grafts import grafts_of, results_of

from gapscope.detector.layers import NUM_LAYERS
from gapscope.findings.graft_tables import graft_tables
from gapscope.findings.grafts import graft_findings
from gapscope.findings.three_curves import three_curves
from gapscope.grafting.verdicts import CANNOT_BE_TOLD, GAINS
from gapscope.page.graft_section import graft_section
from gapscope.page.page import page_environment, page_names

pytestmark = pytest.mark.slow


def findings(*, empty: bool = False):
    """As far as the section reads them."""
    changes, verdicts = {"stem": 0.05, "stage 3": 0.06}, {"stem": CANNOT_BE_TOLD, "stage 3": GAINS}
    results, layers = results_of(grafts_of(changes, verdicts), np.linspace(0.95, 0.2, NUM_LAYERS))
    if empty:
        results.grafts.clear()
    grafts = graft_findings(results)
    curves = three_curves(results, layers, grafts)
    tables = graft_tables(results, grafts, curves)
    return SimpleNamespace(results=results, grafts=grafts, three_curves=curves, tables=tables)


def section(found) -> str:
    template = page_environment().get_template("sections/grafts.html.j2")
    return template.render(grafts=graft_section(found), **page_names(found))


def test_it_answers_for_every_host_and_says_what_cannot_be_told_and_why():
    html = section(findings())
    assert "u-real into f-game, seed 0, own statistics (30.0 AP points, with all parts 50.0)" in html
    answer = "head 8 is least alike and gives back nothing that is sure alone; stage 3 gives back most, 6.0 AP points."
    assert f"No: {answer}" in html
    assert html.count('src="data:image/webp;base64,') == 1
    assert "<dt>cannot be told</dt>" in html and "<dt>loses</dt>" not in html
    assert "another seed&#39;s part changes as much or more, or the change is not sure beside all other parts" in html
    assert 'id="table6"' in html and 'id="table7"' in html
    assert "for these trainings, not what other trainings would do" in html


def test_a_run_whose_grafts_are_still_to_come_says_which_stage_fills_it():
    assert "Grafts are not there yet: this part fills once the stage <code>graft</code> has run." in section(
        findings(empty=True)
    )
