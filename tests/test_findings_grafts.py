"""What is said of grafts: never a share where the control breaks too, and of layers that differ whether they cost."""

import math
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from made_up_grafts import grafts_of, results_of

import gapscope.plot
from gapscope.detector.layers import NUM_LAYERS
from gapscope.detector.network_map import BLOCKS, yolov3_map
from gapscope.findings.graft_tables import graft_tables
from gapscope.findings.grafts import graft_findings, layers_of
from gapscope.findings.part_sentences import NO_GRAFT, graft_sentence
from gapscope.findings.three_curves import BOUND, COST, DIFFERENT, cost_of_layers, rank_words, three_curves
from gapscope.grafting.verdicts import CANNOT_BE_TOLD, GAINS, LOSES
from gapscope.paper.graft_figures import graft_figures
from gapscope.paper.table_files import to_csv, to_latex, to_markdown

FALLING = np.linspace(0.95, 0.2, NUM_LAYERS)
"""How alike layers are: head 8 the least."""


def curves_of(changes, verdicts=None, similarity=FALLING, **more):
    results, layers = results_of(grafts_of(changes, verdicts, **more), similarity)
    (one,) = three_curves(results, layers, graft_findings(results))
    return one


def test_a_part_of_which_nothing_can_be_told_has_no_share_and_says_why():
    results, _ = results_of(grafts_of({"stem": 0.05, "stage 3": 0.06}, {"stem": CANNOT_BE_TOLD, "stage 3": GAINS}))
    (pair,) = graft_findings(results).of("f-game", "u-real", seed=0, domain="real")
    stem, stage_3 = pair.part_of(0), pair.part_of(20)
    assert (stem.verdict, stem.told, stem.share) == (CANNOT_BE_TOLD, False, None) and math.isnan(stem.share_error)
    assert stem.why == "another seed's part changes as much or more, or the change is not sure beside all other parts"
    assert (stage_3.verdict, stage_3.told, stage_3.why) == (GAINS, True, "")
    assert (stage_3.share.value, stage_3.share_error) == (0.06, 0.002)
    assert pair.with_verdict(GAINS) == [stage_3]
    assert graft_findings(results).of("u-real") == [] == graft_findings(results).of(statistics="estimated")


def test_grafts_with_estimated_statistics_alone_are_told_and_said_to_be_so():
    own = grafts_of({"stage 3": 0.06}, {"stage 3": GAINS})
    estimated = replace(own.grafts[0], statistics="estimated", host=0.25)
    results, _ = results_of(replace(own, grafts=(estimated,)))
    (pair,) = graft_findings(results).of("f-game", "u-real")
    assert (pair.statistics, pair.host_map50) == ("estimated", 0.25)
    assert graft_sentence(results, the_gap(results)) == (
        "Stage 3 costs most: u-real's in f-game, with batch statistics estimated anew, regains 6.0 AP points (seed 0: "
        "5.0 to 7.0)."
    )
    both, _ = results_of(replace(own, grafts=(estimated, *own.grafts)))
    (pair,) = graft_findings(both).of("f-game", "u-real")
    assert (pair.statistics, pair.host_map50) == ("own", 0.3)


def test_grafts_of_other_arms_or_on_other_images_are_not_said_to_be_none_at_all():
    results, _ = results_of(grafts_of({"stage 3": 0.06}, {"stage 3": GAINS}))
    assert graft_sentence(results, SimpleNamespace(home="f-game", other="u-real", domain="game")) == (
        "What costs most is unknown: no graft put f-game's parts into u-real on game; likeness is no cause."
    )


def test_a_run_without_grafts_has_none_and_no_tables():
    results, layers = results_of(grafts_of({}))
    results.grafts.clear()
    found = graft_findings(results)
    assert (found.pairs, found.kinds, three_curves(results, layers, found)) == ([], [], [])
    assert graft_tables(results, found, []) == []


def test_ranges_are_read_back():
    assert layers_of("0") == (0,)
    assert layers_of("3-5, 62") == (3, 4, 5, 62)


def test_a_layer_costs_what_its_part_gives_back_and_nothing_is_known_of_one_that_cannot_be_told():
    one = curves_of({"stem": 0.05, "stage 3": 0.06}, {"stem": CANNOT_BE_TOLD, "stage 3": GAINS})
    assert np.isnan(one.cost[0]) and (one.cost[12:37] == 0.06).all() and one.cost[1] == 0.0
    assert one.cost_low[12] == pytest.approx(0.05) and one.cost_high[12] == pytest.approx(0.07)


def test_where_the_donor_is_the_worse_network_what_its_part_takes_away_is_the_cost():
    one = curves_of({"stage 3": -0.06}, {"stage 3": LOSES}, gap=-0.2)
    assert one.cost[12] == 0.06 and one.costliest == "stage 3"
    assert one.cost_low[12] == pytest.approx(0.05) and one.cost_high[12] == pytest.approx(0.07)


def test_layers_that_are_grafted_but_not_recorded_have_no_place_on_the_axis():
    """A detector's features of proposals, say: head 8 here, and half of head 16."""
    recorded = BLOCKS[-2].first + 4
    results, _ = results_of(grafts_of({"head 8": 0.06, "head 16": 0.02}, {"head 8": GAINS, "head 16": GAINS}))
    (pair,) = graft_findings(results).pairs
    whole, found = cost_of_layers(pair, NUM_LAYERS), cost_of_layers(pair, recorded)
    assert all(np.array_equal(one[:recorded], other) for one, other in zip(whole, found, strict=True))
    assert found[0][-1] == 0.02 and replace(yolov3_map(), recorded=recorded).num_recorded == recorded


def test_where_no_network_is_surely_better_nothing_is_lost_that_could_sit_anywhere():
    one = curves_of({"stage 3": 0.06}, {"stage 3": GAINS}, gap=0.005)
    assert np.isnan(one.cost).all() and one.costliest == ""
    assert one.answer.startswith("Cannot be told: it is not sure that one of the two networks is the better one")
    assert rank_words(one, (DIFFERENT, COST)).startswith("Whether how different says how costly cannot be told")


def test_the_answer_names_the_part_least_alike_and_the_one_that_gives_back_most():
    no = curves_of({"stage 3": 0.06, "head 8": 0.01}, {"stage 3": GAINS, "head 8": GAINS})
    assert no.answer == (
        "No: head 8 is least alike and gives back 1.0 AP points alone; stage 3 gives back most, 6.0 AP points."
    )
    yes = curves_of({"head 8": 0.06}, {"head 8": GAINS})
    assert yes.answer == "Yes: head 8 is least alike and gives back most, 6.0 AP points alone."
    untold = curves_of({"stage 3": 0.06, "head 8": 0.01}, {"stage 3": GAINS, "head 8": CANNOT_BE_TOLD})
    assert "head 8 is least alike and gives back what cannot be told alone" in untold.answer
    none = curves_of({}, {part.name: CANNOT_BE_TOLD for part in BLOCKS})
    assert none.answer.startswith("Cannot be told: of no part does more follow than from another seed's")
    small = curves_of({"stage 3": 0.06, "head 8": 0.01}, {"stage 3": GAINS})
    assert "head 8 is least alike and gives back nothing that is sure alone" in small.answer
    for unsure in (curves_of({}), curves_of({"stem": 0.05}), curves_of({"head 8": -0.05}, {"head 8": LOSES})):
        assert unsure.answer == "No part alone surely gives anything back." and unsure.costliest == ""
    assert "not compared" in curves_of({"stem": 0.05}, {"stem": GAINS}, similarity=None).answer


def test_ranks_are_of_every_two_curves_and_a_sure_one_is_said_with_its_direction():
    rising = {part.name: 0.01 * (1 + at) for at, part in enumerate(BLOCKS)}
    one = curves_of(rising)
    assert set(one.ranks) == {(DIFFERENT, COST), (BOUND, COST), (DIFFERENT, BOUND)}
    assert one.ranks[DIFFERENT, BOUND].rho == pytest.approx(1.0)
    assert rank_words(one, (DIFFERENT, COST)).startswith("How different a layer is goes with how costly it is: rank")
    against = curves_of({name: -value for name, value in rising.items()})
    assert "goes against" in rank_words(against, (DIFFERENT, COST))
    two = curves_of(rising, {part.name: CANNOT_BE_TOLD for part in BLOCKS[2:]})
    assert rank_words(two, (DIFFERENT, COST)).endswith("cannot be told: of 2 of 9 parts something can be told.")
    assert rank_words(curves_of(rising, similarity=None), (DIFFERENT, COST)).endswith("0 layers have both.")


def test_tables_print_points_and_hold_every_number_unrounded():
    changes, verdicts = {"stem": 0.0512, "stage 3": 0.06}, {"stem": CANNOT_BE_TOLD, "stage 3": GAINS}
    results, layers = results_of(grafts_of(changes, verdicts), FALLING)
    found = graft_findings(results)
    parts, ranks = graft_tables(results, found, three_curves(results, layers, found))
    assert (parts.name, ranks.name, len(parts.rows), len(ranks.rows)) == ("table6", "table7", 9, 1)
    stem, stage_3 = parts.rows[0], parts.rows[3]
    assert stem[:6] == ("f-game", "u-real", "0", "real", "own", "stem")
    assert stem[6:] == ("+5.1", "+4.1 to +6.1", "-5.1", "+0.1", "+0.1", "–", "cannot be told")  # noqa: RUF001
    assert stage_3[-2:] == ("+6.0 ±0.2", "gains")
    numbers = parts.numbers
    (row,) = numbers[(numbers.part == "stem") & (numbers.what == "alone")].to_dict("records")
    assert (row["value"], row["verdict"]) == (0.0512, CANNOT_BE_TOLD) and row["low"] == pytest.approx(0.0412)
    assert not len(numbers[(numbers.part == "stem") & (numbers.what == "share")])  # never a share where it breaks too
    assert set(ranks.numbers.columns) >= {"rho", "p", "layers", "curves"}
    for table in (parts, ranks):
        assert to_csv(table) and to_markdown(table) and "\\toprule" in to_latex(table)


@pytest.mark.parametrize("width", [3.3, 7.0])
@pytest.mark.parametrize("similarity", [None, FALLING])
def test_the_figure_has_a_panel_for_every_curve_that_is_there(width, similarity):
    one = curves_of({"stage 3": 0.06}, {"stage 3": GAINS, "head 8": CANNOT_BE_TOLD}, similarity=similarity)
    figure = gapscope.plot.three_curves(one, title="A title", width=width)
    labels = [axes.get_ylabel() for axes in figure.axes if axes.get_ylabel()]
    assert labels == [*(["how alike"] if similarity is not None else []), "how domain-bound", "how costly"]
    filled = [bar for bar in figure.axes[len(labels) - 1].patches if bar.get_width() > 0]
    assert len(filled) == 9
    assert sum(bar.get_facecolor()[:3] == (1, 1, 1) for bar in filled) == 1  # head 8


def test_a_paper_gets_a_figure_for_every_host_with_a_caption():
    results, layers = results_of(grafts_of({"stage 3": 0.06}, {"stage 3": GAINS}), FALLING)
    grafts = graft_findings(results)
    found = SimpleNamespace(results=results, three_curves=three_curves(results, layers, grafts))
    (one,) = graft_figures(found)
    assert one.name == "grafts-f-game-seed0--u-real-seed0"
    assert "on 40 test images of real, with own batch statistics" in one.caption
    assert one.draw(3.3).get_figwidth() == pytest.approx(3.3)


def the_gap(results):
    """That of F-Game on the real images; of a gap, nothing but these names is read."""
    return SimpleNamespace(home="u-real", other="f-game", domain="real")


def test_the_part_that_costs_most_is_named_with_what_it_regains():
    results, _ = results_of(grafts_of({"stem": 0.05, "stage 3": 0.06}, {"stem": CANNOT_BE_TOLD, "stage 3": GAINS}))
    assert graft_sentence(results, the_gap(results)) == (
        "Stage 3 costs most: u-real's in f-game regains 6.0 AP points (seed 0: 5.0 to 7.0)."
    )


def test_what_regains_more_but_cannot_be_told_with_every_seed_is_named_beside():
    """Of two parts the surer one is not said to cost most where the other one regains more."""
    words = {"stem": GAINS, "stage 3": CANNOT_BE_TOLD}
    results, _ = results_of(grafts_of({"stem": 0.02, "stage 3": 0.06}, words))
    assert graft_sentence(results, the_gap(results)) == (
        "Stem surely costs: u-real's in f-game regains 2.0 AP points (seed 0: 1.0 to 3.0). Stage 3 may cost more, "
        "which cannot be told with every seed."
    )


def test_parts_whose_intervals_meet_are_not_ranked_and_those_whose_do_not_are():
    for stem, near in ((0.055, ", stem about as much"), (0.03, "")):
        results, _ = results_of(grafts_of({"stem": stem, "stage 3": 0.06}, {"stem": GAINS, "stage 3": GAINS}))
        assert graft_sentence(results, the_gap(results)).startswith(f"Stage 3 costs most{near}: u-real's in f-game")


def test_a_part_that_regains_no_more_than_another_seeds_part_does_is_not_said_to_cost():
    results, _ = results_of(grafts_of({"stem": 0.05}, {"stem": CANNOT_BE_TOLD}))
    assert graft_sentence(results, the_gap(results)) == (
        "Which part costs most cannot be told: no graft surely regains more than another seed's part changes."
    )


def test_a_run_without_grafts_says_that_likeness_is_no_cause():
    results, _ = results_of(grafts_of({"stage 3": 0.06}, {"stage 3": GAINS}))
    assert graft_sentence(results, None) == NO_GRAFT
    results.grafts.clear()
    assert graft_sentence(results, the_gap(results)) == NO_GRAFT
