"""What can an arm not be? Names that point nowhere, settings that contradict each other, shares that are not 1."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from gapscope.arms import arms_before, roots
from gapscope.config import Adapt, Arm, Experiment
from gapscope.detector.factories import ANCHOR_FREE, is_guest
from gapscope.detector.network_map import LayerMap
from gapscope.errors import InputError
from gapscope.networks import layer_map, layers_of, part_words
from gapscope.words import did_you_mean, number_of

WORDS = ("scratch", "streets")
"""That `start` knows besides arms and files."""
ONLY_TRAINED = (
    *("domains", "freeze", "train", "keep_head", "images", "half", "shares", "steps", "restyle"),
    *("epochs", "learning_rate", "augment"),
)
"""Keys that say how an arm is trained."""
CLOSE = 1e-6
"""So far the sum of shares may be from 1."""


def arm_complaints(name: str, experiment: Experiment) -> Iterator[str]:
    """One sentence for everything that is wrong with an arm, beginning with its place in the experiment file.

    Raises:
        InputError: Its network is not known, which is told elsewhere.
    """
    arm, network = experiment.arms[name], layer_map(experiment, name)
    found = [*_names(name, arm, experiment), *_other_networks(name, experiment), *_layers(arm, network)]
    if arm.is_given:
        found += _given(name, arm, experiment)
    else:
        found += _trained(arm, experiment, network) if arm.is_trained else _not_trained(arm, experiment)
    if is_guest(experiment.model_of(name).name):
        found += _of_guest(arm, network)
    if arm.average and not found and all(_in_order(one, experiment) for one in experiment.arms):
        found += _one_start(name, experiment)
    yield from (f" [arms.{name}]{problem}" for problem in found)


def _of_guest(arm: Arm, network: LayerMap) -> Iterator[str]:
    """What only networks of Darknet's can be."""
    if arm.adapt.teacher:
        yield f" adapt.teacher: {network.network} cannot be taught by a mean teacher. Use a network of Darknet's."


def _names(name: str, arm: Arm, experiment: Experiment) -> Iterator[str]:
    """Names that point nowhere, or to an arm below."""
    domains, arms = list(experiment.domains), list(experiment.arms)
    adapt, taught = arm.adapt.domains, [arm.adapt.teacher] * bool(arm.adapt.teacher)
    named = {"": arm.domains, " adapt.batchnorm": adapt, " adapt.teacher": taught, " choose": arm.chosen_on}
    for key, names in named.items():
        for domain in names:
            if domain not in domains:
                yield f"{key}: there is no domain '{domain}'.{did_you_mean(domain, domains)}"
    if name in WORDS:
        yield f": '{name}' is a word that 'start' uses; give the arm another name."
    for key, one in (("start", arm.start), *(("average", one) for one in arm.average)):
        if one in arms and not experiment.arms[one].has_network:
            yield f" {key}: '{one}' is known by its detections alone. Name an arm that has a network."
    if arm.start in arms and not _above(arm.start, name, arms):
        yield f": start = '{arm.start}' must be an arm that stands above '{name}' in the file."
    known = [*WORDS, *arms]
    if arm.start not in known and not Path(arm.start).suffix:
        yield f": start = '{arm.start}' is no arm and no weights file.{did_you_mean(arm.start, known)}"
    for one in arm.average:
        if one not in arms:
            yield f" average: there is no arm '{one}'.{did_you_mean(one, arms)}"
        elif not _above(one, name, arms):
            yield f" average: '{one}' must be an arm that stands above '{name}' in the file."


def _other_networks(name: str, experiment: Experiment) -> Iterator[str]:
    """Arms of another network that an arm is made from: weights fill the layers of their own network."""
    mine, arm = experiment.network_of(name), experiment.arms[name]
    for key, one in (("start", arm.start), *(("average", one) for one in arm.average)):
        if one in experiment.arms and experiment.network_of(one) != mine:
            yield (
                f" {key}: '{one}' has another network ({layer_map(experiment, one).network}, here it is "
                f"{layer_map(experiment, name).network}). Name an arm of the same one, or give both the same model."
            )


def _layers(arm: Arm, network: LayerMap) -> Iterator[str]:
    for key, text in (("freeze", arm.freeze), ("train", arm.train), ("adapt.layers", arm.adapt.layers)):
        try:
            if set(layers_of(text or "0", network)) >= set(network.weighted) and key == "freeze":
                fewer = network.words_of("backbone")
                yield f" freeze: '{text}' leaves no layer that learns. Freeze fewer, as in '{fewer}'."
        except InputError as error:
            yield f" {key}: {error}"


def _trained(arm: Arm, experiment: Experiment, network: LayerMap) -> Iterator[str]:
    if not arm.domains:
        yield (
            ": it names no 'domains', so there is nothing to train on. Give domains = [...], or make it of other arms "
            "with 'adapt' or 'average'."
        )
    for domain in (one for one in arm.domains if one in experiment.domains):
        shares = experiment.domains[domain].split.fractions[:2]
        if min(shares) == 0:
            yield f": [domains.{domain}.split] leaves no images to train on, or to choose the epoch by. Give a share."
    if arm.freeze and arm.train:
        yield f": freeze = '{arm.freeze}' and train = '{arm.train}' say the same in two ways. Leave out one of them."
    if arm.keep_head and arm.start in WORDS:
        yield f": keep_head = true, but start = '{arm.start}' has no head to keep. Name an arm or a whole file."
    if arm.train and not arm.keep_head and not learns_head(arm.train, network):
        head = network.words_of("head")
        yield f": train = '{arm.train}' leaves the head as it was drawn at random. Add {head}, or keep_head = true."
    if arm.start == "streets" and not (network.is_yolov3 or network.network == ANCHOR_FREE):
        yield (
            f": start = 'streets' is a backbone of YOLOv3, and this is {network.network}. Name a file of its own "
            f"weights, from which its backbone is taken ({part_words(network, ['backbone'])}), or 'scratch'."
        )
    if arm.choose:
        yield f": choose = {arm.choose!r} is for the shares of an average of two arms. Give average = [...] too."
    yield from _diet(arm, experiment.train.batch_size)
    yield from _restyle(arm, list(experiment.domains))
    yield from _taught(arm.adapt)


def _taught(adapt: Adapt) -> Iterator[str]:
    """Of an arm that is trained: statistics are no part of it, a teacher may be."""
    given = {key for key, value in adapt if value != getattr(Adapt(), key)}
    if given & {"images", "layers", "keep"}:
        yield " adapt: it says how statistics are estimated, but not on which images. Give batchnorm, a domain."
    if given & {"weight", "confidence", "decay"} and not adapt.teacher:
        yield " adapt: it says how a teacher teaches, but not on which images. Give teacher, a domain."


def _given(name: str, arm: Arm, experiment: Experiment) -> Iterator[str]:
    """An arm that was trained elsewhere: nothing says how it is trained, there is a file for each seed, and of
    detections for each domain."""
    what = "trained" if arm.trained else "detections"
    for key in (*(key for key in ONLY_TRAINED if key != "domains"), "average", "choose"):
        if getattr(arm, key):
            yield f": {key} says how an arm is made, and with '{what}' this one is there. Leave one of them out."
    if arm.start != "scratch":
        yield f": start = '{arm.start}' stands beside '{what}', which is the whole network. Leave one of them out."
    if arm.adapt.batchnorm or arm.adapt.teacher:
        yield f" adapt: it makes an arm of another. Name '{name}' as the start of a further arm, and adapt that."
    if not arm.domains:
        yield ": it names no 'domains', so nobody knows what it was trained on. Give domains = [...]."
    if arm.trained and arm.detections:
        yield ": 'trained' and 'detections' are two ways to give one detector. Leave out one of them."
    for key in ("ids", "names"):
        if getattr(arm, key) and not arm.detections:
            yield f": {key} explains 'detections', and it has none. Leave it out."
    yield from _files(arm, experiment)


def _files(arm: Arm, experiment: Experiment) -> Iterator[str]:
    """Files of an arm that was trained elsewhere, which belong to seeds, and those of detections to domains."""
    seeds, domains = experiment.seeds, list(experiment.domains)
    given = {f" detections.{domain}": files for domain, files in arm.detections.items()}
    for place, files in given.items() if given else [(" trained", arm.trained)]:
        count = 1 if isinstance(files, str) else len(files)
        if count != len(seeds):
            yield (
                f"{place}: {number_of(count, 'file')} for the seeds {', '.join(map(str, seeds))} - expected one for "
                f"each. Name as many, or let the study have seeds = {list(range(max(1, count)))}."
            )
    for key, named in (("detections", arm.detections), ("ids", arm.ids)):
        for domain in named:
            if domain not in domains:
                yield f" {key}: there is no domain '{domain}'.{did_you_mean(domain, domains)}"
    for domain in experiment.evaluated_domains if given else []:
        if domain not in arm.detections:
            yield f" detections: none are given for '{domain}'. Give them, or leave it out of [evaluate] domains."
    for one in arm.names:
        if one not in experiment.data.classes:
            yield f" names: unknown class '{one}'.{did_you_mean(one, experiment.data.classes)}"


def _not_trained(arm: Arm, experiment: Experiment) -> Iterator[str]:
    """An arm that is made of others without training: nothing may say how it is trained."""
    what = "average" if arm.average else "adapt.batchnorm"
    for key in ONLY_TRAINED:
        if getattr(arm, key):
            yield f": {key} is for arms that are trained, and with '{what}' this one is not. Leave one of them out."
    if arm.adapt.teacher:
        yield (
            f" adapt.teacher: '{arm.adapt.teacher}' teaches an arm while it is trained, and with '{what}' this one is "
            "not. Train an arm with it, and name that as the start of this one."
        )
    if not arm.average and arm.start in WORDS:
        yield (
            f": start = '{arm.start}' is no trained network, whose statistics could be estimated anew. Name an arm "
            "that stands above, or the weights file of a whole network."
        )
    if not arm.average:
        if arm.choose:
            yield f": choose = {arm.choose!r} is for the shares of an average of two arms. Give average = [...] too."
        return
    if arm.start != "scratch":
        yield f": start = '{arm.start}' stands beside 'average', which says where the weights are from. Leave it out."
    if isinstance(arm.average, dict):
        total = sum(arm.average.values())
        if abs(total - 1) > CLOSE:
            yield f" average: the shares add up to {total:g} - expected 1. Change them."
        if arm.choose:
            yield f": choose = {arm.choose!r} stands beside shares that are given. Leave out one of the two."
    elif len(set(arm.average)) != 2 or len(arm.average) != 2 or not arm.choose:
        yield (
            f" average: {list(arm.average)} names arms without shares - expected two arms, and with 'choose' the "
            "domain on whose validation images their shares are chosen. Give these, or shares."
        )


def _diet(arm: Arm, batch_size: int) -> Iterator[str]:
    for domain in arm.images:
        if domain not in arm.domains:
            yield f" images: '{domain}' is none of the arm's domains.{did_you_mean(domain, arm.domains)}"
    if not arm.shares:
        return
    if set(arm.shares) != set(arm.domains):
        yield f" shares: they name {', '.join(arm.shares)} - expected the arm's domains, {', '.join(arm.domains)}."
    if abs(sum(arm.shares.values()) - 1) > CLOSE:
        yield f" shares: they add up to {sum(arm.shares.values()):g} - expected 1. Change them."
    for domain, share in arm.shares.items():
        if abs(share * batch_size - round(share * batch_size)) > CLOSE:
            yield (
                f" shares: {share:g} of a batch of {batch_size} are {share * batch_size:g} images of '{domain}' - "
                "expected a whole number. Change the shares, or [train] batch_size."
            )


def _restyle(arm: Arm, domains: Sequence[str]) -> Iterator[str]:
    for domain, style in arm.restyle.items():
        place = f" restyle.{domain}"
        if domain not in arm.domains:
            yield f"{place}: '{domain}' is none of the arm's domains.{did_you_mean(domain, arm.domains)}"
        if style.towards and style.towards not in domains:
            yield f"{place} towards: there is no domain '{style.towards}'.{did_you_mean(style.towards, domains)}"
        if bool(style.towards) != bool(style.fourier or style.colours):
            yield f"{place}: 'towards' and one of 'fourier' and 'colours' need each other. Give both, or neither."


def learns_head(ranges: str, network: LayerMap) -> bool:
    """Whether some layer of the head is among these; true where they cannot be read, which is told elsewhere."""
    try:
        return layers_of(ranges, network)[-1] > network.backbone_last
    except InputError:
        return True


def _one_start(name: str, experiment: Experiment) -> Iterator[str]:
    """Weights that did not begin alike have no working average (Neyshabur et al. 2020, arXiv:2008.11687)."""
    began: set[str] = set().union(*(roots(experiment, one) for one in arms_before(experiment, name)))
    if len(began) > 1:
        yield (
            f" average: these arms began at {' and at '.join(sorted(began))} - the average of weights that did not "
            "begin alike is no working network. Average arms of one start."
        )


def _in_order(name: str, experiment: Experiment) -> bool:
    """Whether an arm is made of arms that stand above it, so that one can go from arm to arm without end."""
    return all(_above(one, name, list(experiment.arms)) for one in arms_before(experiment, name))


def _above(one: str, other: str, arms: Sequence[str]) -> bool:
    return arms.index(one) < arms.index(other)
