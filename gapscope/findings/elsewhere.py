"""Which detectors were trained elsewhere, and what can therefore not be said of them?"""

from collections.abc import Iterable
from pathlib import Path

from gapscope.findings.gap_sentences import joined_by_and
from gapscope.findings.results import Results


def given_arms(results: Results, *, with_network: bool | None = None) -> list[str]:
    """Reported arms that were trained elsewhere; all of them, or those of which there is a network, or none."""
    arms = results.experiment.arms
    found = [name for name in results.arms if arms[name].is_given]
    return [name for name in found if with_network is None or arms[name].has_network == with_network]


def trains_nothing(results: Results) -> bool:
    """Whether no reported arm is trained in this study."""
    return not any(results.experiment.arms[name].is_trained for name in results.arms)


def given_titles(results: Results, arms: Iterable[str]) -> list[str]:
    """Titles of those of some arms that were trained elsewhere."""
    return [results.arm_title(arm) for arm in arms if results.experiment.arms[arm].is_given]


def given_sentences(results: Results) -> list[str]:
    """Where detectors come from that were not trained here, and what that leaves open; nothing where there are none."""
    given = given_arms(results)
    if not given:
        return []
    names = joined_by_and([f"{results.arm_title(arm)} ({_files(results, arm)})" for arm in given])
    said = [f"Trained elsewhere, perhaps on these test images: {names}."]
    blind = given_arms(results, with_network=False)
    if blind:
        titles = joined_by_and([results.arm_title(arm) for arm in blind])
        said.append(f"{titles}: detections alone, so no layer was recorded.")
    return said


def no_layers_sentence(results: Results) -> str:
    """Why no layer of this run is compared; empty where some are, or will be."""
    if results.recorded_arms or not given_arms(results, with_network=False):
        return ""
    return (
        "The arms are known by their detections alone, so nobody can say where in the networks it is. Give the "
        "networks, too (trained), to have their layers recorded and compared."
    )


def no_pairs_sentence(results: Results) -> str:
    """Why no two arms of this run are compared layer by layer; empty where some are, or will be."""
    if len(results.recorded_arms) == 1:
        return f"Of {results.arm_title(results.recorded_arms[0])} alone layers are recorded: none to compare them with."
    return no_layers_sentence(results)


def _files(results: Results, arm: str) -> str:
    files = dict.fromkeys(Path(name).name for one in results.summaries_of(arm) for name in one.given)
    return ", ".join(files) or "files not taken over yet"
