"""experiment.toml -> a checked experiment: every mistake is named, with its place and what may have been meant."""

import hashlib
import re
import tomllib
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from gapscope.arm_checks import arm_complaints
from gapscope.config import DEFAULT, Domain, Experiment, Model
from gapscope.data.label_maps import named_label_maps
from gapscope.data.problems import OBEYED, writable
from gapscope.data.readers.detect import FORMATS
from gapscope.detector.network_map import LayerMap, parse_map
from gapscope.errors import InputError
from gapscope.files import OTHER_CONTENT, read_json, read_text
from gapscope.grafting.layer_names import parts_named
from gapscope.networks import layer_map
from gapscope.run_folder import RunFolder
from gapscope.similarity.measures import MEASURES
from gapscope.streets.drives import STYLES
from gapscope.words import did_you_mean

DEEPEST = 20
"""Tables in tables and lists of an experiment file."""
SEAL = "# sha256 of the lines below: "
"""How the first line of settings begins that a run wrote down."""


def read_config(path: Path | str, maps: Mapping[str, LayerMap] | None = None) -> Experiment:
    """Read and check an experiment file.

    Args:
        path: Of the file.
        maps: The layers of each arm's network, where they are known without building it.

    Raises:
        InputError: If the file is missing or is no TOML, naming every key, value and cross-reference that is wrong, or
            if its first line is the seal of other lines.
    """
    text = read_config_text(Path(path))
    if not is_sealed_right(text):
        raise InputError(
            f"{path}: these are not the settings whose hash its first line holds. Give the experiment file to gapscope "
            "run once more, which writes them anew, or delete that line if they were changed on purpose."
        )
    return parse_config(text, str(path), maps)


def read_run_config(folder: RunFolder) -> Experiment:
    """The experiment of a run folder, which knows the layers of its networks without their code and .cfg files.

    Raises:
        InputError: As `read_config`, or if the file that says them is broken.
    """
    maps, path = dict[str, LayerMap](), folder.networks
    if path.is_file():
        try:
            maps = {str(arm): parse_map(found) for arm, found in read_json(path).items()}
        except OTHER_CONTENT as error:
            raise InputError(f"{path} cannot be read: {error}. Run the study again, which writes it anew.") from error
    return read_config(folder.config, maps)


def sealed(text: str) -> str:
    """A text after a first line, a comment, that holds its hash."""
    return f"{SEAL}{hashlib.sha256(text.encode()).hexdigest()}\n{text}"


def is_sealed_right(text: str) -> bool:
    """Whether a sealed text is what it was; a text without a seal is not doubted."""
    first, _, rest = text.partition("\n")
    return not first.startswith(SEAL) or first == SEAL + hashlib.sha256(rest.encode()).hexdigest()


def read_config_text(path: Path) -> str:
    """The text of an experiment file, without the byte order mark that some editors put before it.

    Raises:
        InputError: If the file is missing or not in UTF-8.
    """
    try:
        return read_text(path)
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}). Name an experiment file (.toml).") from None
    except UnicodeDecodeError:
        raise InputError(f"{path}: is not UTF-8 text, so it is no experiment file. Save it as UTF-8.") from None


def parse_config(text: str, name: str = "experiment", maps: Mapping[str, LayerMap] | None = None) -> Experiment:
    """Check the text of an experiment file; `name` is what the messages call it, `maps` as `read_config` takes them.

    An experiment with maps, even with none of them known, imports no module that it names.
    """
    try:
        content = tomllib.loads(text)
        texts = list(_texts(content))
    except ValueError as error:  # no TOML, or a number of thousands of digits
        raise InputError(f"{name}: is not valid TOML: {str(error).rstrip('.')}.") from None
    except RecursionError:
        raise InputError(f"{name}: is not valid TOML: it is nested too deeply. Write tables of a few levels.") from None
    for place, said in texts:
        if OBEYED.search(said):
            raise InputError(
                f"{name}{place}: {writable(said)!r:.80} holds characters that a terminal obeys and does not show. "
                "Remove them."
            )
    try:
        experiment = Experiment.model_validate(content)
    except ValidationError as error:
        lines = [line for problem in error.errors() for line in _explain(problem)]
        raise InputError("\n".join(f"{name}{line}" for line in lines)) from None
    experiment = experiment if maps is None else experiment.with_maps(maps)
    complaints = list(_complaints(experiment))
    if complaints:
        raise InputError("\n".join(f"{name}{line}" for line in complaints))
    return experiment


def _texts(content: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Every text in the values of a file, keys among them, each with its place.

    Raises:
        RecursionError: They are nested more deeply than any setting is.
    """
    waiting: list[tuple[str, int, Any]] = [("", 0, content)]
    while waiting:
        place, depth, value = waiting.pop()
        if depth > DEEPEST:
            raise RecursionError
        if isinstance(value, dict):
            yield from ((place, key) for key in value)
            waiting += [(f"{place} {writable(key)}", depth + 1, inner) for key, inner in value.items()]
        elif isinstance(value, list):
            waiting += [(place, depth + 1, inner) for inner in value]
        elif isinstance(value, str):
            yield place, value


def _complaints(experiment: Experiment) -> Iterator[str]:
    """What no single key can tell: names that point nowhere, sizes that do not fit."""
    classes, domains = experiment.data.classes, list(experiment.domains)
    if len(set(classes)) < len(classes):
        yield " [data]: classes names a class twice."
    misnamed = list(_model_complaints(experiment))
    yield from misnamed
    networks = dict[str, LayerMap]()
    for name in () if misnamed else experiment.networks:
        try:
            networks[name] = layer_map(experiment, experiment.arms_of(name)[0])
        except InputError as error:
            yield f" {_table_of(name)} {error}"
    yield from _size_complaints(experiment, networks)
    for key, values in {
        "[record] sizes": experiment.record.sizes,
        "seeds": experiment.seeds,
        "[probe] domain and also": experiment.probe.domains,
        "[probe] domain and separability": [experiment.probe.domain, *experiment.probe.separability],
        "[similarity] measures": experiment.similarity.measures,
        "[graft] pairs": experiment.graft.pairs if experiment.graft else [],
        "[graft] domains": experiment.graft.domains if experiment.graft else [],
    }.items():
        twice = [value for value, count in Counter(values).items() if count > 1]
        if twice:
            yield f" {key}: {twice[0]!r} is named twice. Name each once."
    for key, names in {
        "[probe] domain": [experiment.probe.domain],
        "[probe] also": experiment.probe.also,
        "[probe] separability": experiment.probe.separability,
        "[evaluate] domains": experiment.evaluate.domains,
        "[graft] domains": experiment.graft.domains if experiment.graft else [],
    }.items():
        for name in names:
            if name not in domains:
                yield f" {key}: there is no domain '{name}'.{did_you_mean(name, domains)}"
    yield from _measure_complaints(experiment)
    are_known = bool(networks) and len(networks) == len(experiment.networks)
    if are_known:
        yield from _graft_complaints(experiment, networks)
    for name in experiment.evaluate.headline:
        if name not in classes:
            yield f" [evaluate] headline: unknown class '{name}'.{did_you_mean(name, classes)}"
    for name, domain in experiment.domains.items():
        yield from _domain_complaints(name, domain, classes)
    for name in experiment.arms if are_known else ():
        yield from arm_complaints(name, experiment)


def _table_of(network: str) -> str:
    """Where the settings of a network stand."""
    return "[model]" if network == DEFAULT else f"[models.{network}]"


def _model_complaints(experiment: Experiment) -> Iterator[str]:
    """Networks that are not there, that nobody has, or that are there twice."""
    known = list(experiment.models)
    for arm, settings in experiment.arms.items():
        if settings.model and settings.model not in known:
            there = f"{did_you_mean(settings.model, known)} Known are {', '.join(known)}; left out, it is [model]."
            none = " No [models.<name>] is there: add one, or leave it out."
            yield f" [arms.{arm}] model: there is no network '{settings.model}'.{there if known else none}"
    if DEFAULT in known:
        yield f" [models.{DEFAULT}]: so the network of [model] is called. Take another name."
    for name in known:
        if name not in experiment.networks and name != DEFAULT:
            yield f" [models.{name}]: no arm has this network. Give an arm model = '{name}', or leave it out."
    first: dict[Model, str] = {}
    for name in experiment.networks:
        model = experiment.model_of(experiment.arms_of(name)[0])
        if (other := first.setdefault(model, name)) != name:
            yield f" [models.{name}]: says the same as {_table_of(other)}. Give its arms that one, and leave this out."


def _size_complaints(experiment: Experiment, networks: Mapping[str, LayerMap]) -> Iterator[str]:
    sizes = {"[data] image_size": experiment.data.image_size}
    sizes |= {f"[record] sizes[{i}]": size for i, size in enumerate(experiment.record.sizes)}
    strides = {network.stride: network.network for network in networks.values()}
    for key, size in sizes.items():
        for stride, network in strides.items():
            if size < stride or size % stride:
                whose = f", as {network} needs" if len(networks) > 1 else ""
                yield f" {key}: {size} is not a multiple of {stride}{whose}."


def _measure_complaints(experiment: Experiment) -> Iterator[str]:
    names, images = experiment.similarity.measures, experiment.probe.images
    start = " [similarity] measures:"
    if "cka_debiased" not in names:
        yield f"{start} 'cka_debiased' is missing, which effects, influences and the report rest on. Add it."
    for name in names:
        if name not in MEASURES:
            known = [name for name, measure in MEASURES.items() if measure.needs != "features"]
            yield f"{start} there is no measure '{name}'.{did_you_mean(name, known)}"
        elif MEASURES[name].needs == "features":
            yield (
                f"{start} '{name}' needs the activations of two networks side by side, which a study does not keep. "
                "Leave it out, or take 'procrustes'."
            )
        elif images < (least := MEASURES[name].least_images):
            yield (
                f"{start} '{name}' needs {least} images or more, and [probe] images = {images}. "
                "Raise that, or leave the measure out."
            )


def _graft_complaints(experiment: Experiment, networks: Mapping[str, LayerMap]) -> Iterator[str]:
    settings, arms = experiment.graft, list(experiment.arms)
    if settings is None:
        return
    for pair in settings.pairs:
        for name in pair:
            if name not in arms:
                yield f" [graft] pairs: there is no arm '{name}'.{did_you_mean(name, arms)}"
            elif not experiment.arms[name].has_network:
                yield f" [graft] pairs: '{name}' is known by its detections alone. Name an arm that has a network."
        if pair[0] == pair[1]:
            yield f" [graft] pairs: '{pair[0]}' is host and donor. Name two arms."
        if set(pair) <= set(arms) and len({experiment.network_of(name) for name in pair}) > 1:
            yield f" [graft] pairs: '{pair[0]}' and '{pair[1]}' have different networks. Name two arms of one network."
    for name in settings.domains:
        if name in experiment.domains and name not in experiment.evaluated_domains:
            yield f" [graft] domains: '{name}' is not evaluated on. Name it in [evaluate] domains, too."
    for name, network in networks.items() if settings.parts else ():
        if experiment.known_map(experiment.arms_of(name)[0]) is None:
            try:
                parts_named(settings.parts, network)
            except InputError as error:
                yield f" [graft] parts: {f'{network.network}: ' if len(networks) > 1 else ''}{error}"


def _domain_complaints(name: str, domain: Domain, classes: list[str]) -> Iterator[str]:
    if (domain.generate is None) == (domain.root is None):
        yield f" [domains.{name}]: needs either 'root' (a folder of yours) or 'generate' (rendered streets), not both."
    if domain.generate is not None and domain.generate.style not in STYLES:
        wanted = domain.generate.style
        yield f" [domains.{name}.generate] style: there is no style '{wanted}'.{did_you_mean(wanted, STYLES)}"
    if domain.format is not None and domain.format not in FORMATS:
        yield f" [domains.{name}] format: there is no format '{domain.format}'.{did_you_mean(domain.format, FORMATS)}"
    for target in domain.labels:
        if target not in classes:
            yield f" [domains.{name}.labels]: unknown class '{target}'.{did_you_mean(target, classes)}"
    if domain.label_map and domain.label_map not in named_label_maps():
        known = list(named_label_maps())
        yield f" [domains.{name}] label_map: there is no '{domain.label_map}'.{did_you_mean(domain.label_map, known)}"
    seen: dict[str, str] = {}
    groups = {**domain.labels, "drop": domain.drop, "ignore": domain.ignore}
    for target, sources in groups.items():
        for source in sources:
            if source in seen:
                yield f" [domains.{name}]: '{source}' is mapped twice, to '{seen[source]}' and to '{target}'."
            seen[source] = target
    split = domain.split
    if abs(sum(split.fractions) - 1) > 1e-6 or min(split.fractions) < 0:
        yield f" [domains.{name}.split]: fractions {list(split.fractions)} do not add up to 1."
    if split.method in ("folders", "lists") and not (split.train and split.test):
        yield f" [domains.{name}.split]: method '{split.method}' needs 'train', 'test', and 'val' or 'val_from_train'."


def _explain(problem: Any) -> list[str]:
    """One pydantic problem as our sentences: where, which value, what was expected."""
    where = [str(part) for part in problem["loc"]]
    if problem["type"] == "extra_forbidden":
        known = _known_keys(where[:-1])
        return [f"{_place(where[:-1])}: unknown key '{where[-1]}'.{did_you_mean(where[-1], known)}"]
    if problem["type"] == "missing":
        return [f"{_place(where[:-1])}: the key '{where[-1]}' is missing."]
    if problem["type"] == "string_pattern_mismatch":
        return [_misnamed(where, str(problem["input"]))]
    message = problem["msg"][0].lower() + problem["msg"][1:]
    return [f"{_place(where[:-1])}: {where[-1]} = {problem['input']!r}: {message}."]


def _misnamed(where: list[str], name: str) -> str:
    """A name of a study, a domain or an arm that cannot name a file, and what would be one."""
    whose = where[-2] if where[-1] == "[key]" else where[-1]
    table = [part for part in where[:-1] if part != "[key]" and part != name]
    better = re.sub(r"[^A-Za-z0-9]+", "-", name).strip("-")
    advice = f"Call it '{better}'" if better else "Take another name"
    kind = {"domains": "domain", "arms": "arm", "models": "network"}.get(table[-1] if table else whose, whose)
    return (
        f"{_place(table)}: the {kind} '{name}' - expected letters and digits, with '-', '_' or '.' between them, "
        f"as files are named after it. {advice}, and say the rest in its title."
    )


def _place(where: list[str]) -> str:
    return f" [{'.'.join(where)}]" if where else ""


def _known_keys(where: list[str]) -> list[str]:
    """The keys of the table at this place; names of domains and arms are stepped over."""
    table: Any = Experiment
    for part in where:
        if part in table.model_fields:
            annotation = table.model_fields[part].annotation
            candidates = [annotation, *getattr(annotation, "__args__", ())]
            table = next(t for t in reversed(candidates) if isinstance(t, type) and issubclass(t, BaseModel))
    return list(table.model_fields)
