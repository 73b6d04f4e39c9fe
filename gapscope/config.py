"""experiment.toml -> frozen models: every default and its meaning lives here once."""

import difflib
import re
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from gapscope.errors import InputError

LAST_LAYER = 106
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9]+([_.-][A-Za-z0-9]+)*$")]
NETWORK_SIZE = "a multiple of 32, at least 32"


class Table(BaseModel):
    """A table of the file: frozen, and a key it does not know is refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Data(Table):
    classes: list[str] = Field(min_length=1)
    """The common labels that every domain is mapped to, in the order of the network's outputs."""
    image_size: int = 416
    """Side in pixels of the square that the network sees, a multiple of 32."""


class Model(Table):
    width: float = Field(1.0, gt=0, le=4)
    """Factor on the number of channels of every layer; 1 is YOLOv3 itself."""
    anchor_scale: float = Field(1.0, gt=0)
    """Factor on Darknet's nine anchors, which were chosen for 416 pixels."""
    prior: float = Field(0.01, ge=0, lt=1)
    """Confidence of an untrained head; 0 leaves its biases as initialised, as the paper did."""


class Generate(Table):
    style: Literal["camera", "engine", "game"]
    images: int = Field(gt=0)
    size: int = Field(256, ge=64)
    """Side of the rendered images in pixels."""
    seed: int = 0
    severity: float = Field(0.4, ge=0, le=1)
    """How harsh weather and camera are in the style `camera`."""


class Split(Table):
    method: Literal["auto", "group", "random", "folders", "lists"] = "auto"
    """`auto` keeps groups (rides, sequences, photographers) whole where they are known, else draws at random."""
    fractions: tuple[float, float, float] = (0.6, 0.2, 0.2)
    """Shares of train, val and test."""
    seed: int = 0
    train: str = ""
    val: str = ""
    test: str = ""
    """With `folders` a path prefix below the domain's root, with `lists` a file of image names, one per line."""
    val_from_train: float = Field(0.0, ge=0, lt=1)
    """With `folders` or `lists` and no val of its own: the share of train that becomes val."""
    max_train: int | None = Field(None, gt=0)
    max_val: int | None = Field(None, gt=0)
    max_test: int | None = Field(None, gt=0)


class Domain(Table):
    title: str = ""
    role: Literal["real", "synthetic", "control"]
    """What the domain plays in this study; generated domains may play the real part, and the report says so."""
    source: str = ""
    """Where the images come from and under which licence: shown in the report."""
    generate: Generate | None = None
    """Render the domain with gapscope's own street generator."""
    root: str | None = None
    """The domain's folder; a relative path starts at the data root (`--data-root` or GAPSCOPE_DATA)."""
    format: Literal["coco", "yolo", "voc"] | None = None
    """How the labels are written; found out from the folder when left out."""
    labels: dict[str, list[str]] = {}
    """Common label -> the domain's own names for it. Left out: the domain uses the common labels already."""
    drop: list[str] = []
    """Own names whose boxes are left out: their objects become background."""
    ignore: list[str] = []
    """Own names whose boxes become ignore regions: neither trained on nor scored."""
    min_area: float = Field(0.0, ge=0)
    """Boxes under this area in square pixels of the original image are removed."""
    remove_hood: bool = False
    """Remove the driver's own hood where a domain labels it."""
    split: Split = Split()


class Arm(Table):
    title: str = ""
    domains: list[str] = Field(min_length=1)
    """The domains whose training images the arm sees."""
    start: str = "scratch"
    """`scratch`, `streets` (the small backbone that comes with gapscope), another arm's name, or a weights file.

    Layers 0-74 are taken from it; the head always starts at random, as in the paper.
    """
    freeze: str = ""
    """Layers that stay as they are, such as `0-74`; their BatchNorm statistics too."""
    report: bool = True
    """Whether tables and figures show the arm."""


class Augment(Table):
    flip: float = Field(0.5, ge=0, le=1)
    hsv: tuple[float, float, float] = (0.015, 0.6, 0.4)
    scale: float = Field(0.3, ge=0, lt=1)
    translate: float = Field(0.1, ge=0, lt=1)
    mosaic: float = Field(0.0, ge=0, le=1)


class Train(Table):
    epochs: int = Field(100, gt=0)
    batch_size: int = Field(8, gt=0)
    optimizer: Literal["adam", "adamw", "sgd"] = "adam"
    learning_rate: float = Field(1e-4, gt=0)
    weight_decay: float = Field(0.0, ge=0)
    schedule: Literal["constant", "cosine"] = "constant"
    warmup_steps: int = Field(0, ge=0)
    """Optimizer steps over which the learning rate climbs from zero."""
    patience: int = Field(10, gt=0)
    """Epochs without a better mAP@0.5 on the validation images before training stops."""
    validate_every: int = Field(1, gt=0)
    """Epochs between two validations; the last epoch is always validated."""
    ema: float = Field(0.0, ge=0, lt=1)
    """Decay per step of a moving average of the weights, which is then what is validated and kept; 0 is off."""
    augment: Augment = Augment()
    workers: int = Field(0, ge=0)
    """Loader processes; the batches do not depend on it."""
    device: str = "auto"
    """`auto`, `cpu`, `cuda` or `mps`."""


class Evaluate(Table):
    rule: Literal["coco", "paper"] = "coco"
    """Which rule the tables lead with; both are computed."""
    headline: list[str] = []
    """Classes whose mean is the headline number; all of them when left out."""
    confidence: float = Field(0.001, ge=0, lt=1)
    nms_iou: float = Field(0.6, gt=0, lt=1)
    domains: list[str] = []
    """Domains whose test images are evaluated on; all that are `real` or `synthetic` when left out."""


class Probe(Table):
    domain: str
    """Domain whose test images every network looks at."""
    images: int = Field(200, ge=4)
    seed: int = 0


class Record(Table):
    sizes: tuple[int, int] = (416, 32)
    """Input sizes: that of Figures 1-6 and Table 3, and the second one of Figure 7 and Table 4."""
    memory: str = "8GiB"
    """Live tensors above this spill to disk; the numbers do not change."""


class Similarity(Table):
    permutations: int = Field(100, ge=20)
    """Shuffles of the images behind the floor."""
    bootstraps: int = Field(200, ge=20)
    """Resamples of the images behind each interval."""


class Experiment(Table):
    """A whole study, as one file says it."""

    name: Name
    title: str = ""
    note: str = ""
    """Shown at the top of the report: what the study does and does not show."""
    seeds: list[int] = Field([0, 1], min_length=1)
    data: Data
    model: Model = Model()
    domains: dict[Name, Domain] = Field(min_length=1)
    arms: dict[Name, Arm] = Field(min_length=1)
    train: Train = Train()
    evaluate: Evaluate = Evaluate()
    probe: Probe
    record: Record = Record()
    similarity: Similarity = Similarity()

    @model_validator(mode="after")
    def _names_are_known(self) -> "Experiment":
        complaints = list(_complaints(self))
        if complaints:
            raise ValueError("\n".join(complaints))
        return self

    @property
    def reported_arms(self) -> list[str]:
        return [name for name, arm in self.arms.items() if arm.report]

    @property
    def evaluated_domains(self) -> list[str]:
        return self.evaluate.domains or [n for n, domain in self.domains.items() if domain.role != "control"]


def read_config(path: Path) -> Experiment:
    """Read and check an experiment file.

    Raises:
        InputError: If the file is missing or is no TOML, or naming every key, value and cross-reference that is wrong.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise InputError(
            f"{path}: cannot be read ({error.strerror}). Name an experiment file, as in configs/."
        ) from None
    except UnicodeDecodeError:
        raise InputError(f"{path}: is not UTF-8 text, so it is no experiment file.") from None
    return parse_config(text, str(path))


def parse_config(text: str, name: str = "experiment") -> Experiment:
    """Check the text of an experiment file; `name` is what the messages call it."""
    try:
        return Experiment.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"{name}: is not valid TOML: {error}.") from None
    except ValidationError as error:
        lines = [line for problem in error.errors() for line in _explain(problem)]
        raise InputError("\n".join(f"{name}{line}" for line in lines)) from None


def did_you_mean(word: str, known: list[str]) -> str:
    """` Did you mean 'x'?` when a known word is near, else the list of known words."""
    near = difflib.get_close_matches(word, known, n=1)
    return f" Did you mean '{near[0]}'?" if near else f" Known: {', '.join(known)}."


def parse_layers(text: str) -> tuple[int, int] | None:
    """`"0-74"` -> (0, 74), `"5"` -> (5, 5), `""` -> None.

    Raises:
        InputError: If the text is no range of layers 0-106 in rising order.
    """
    if not text:
        return None
    match = re.fullmatch(r"(\d+)(?:-(\d+))?", text)
    first, last = (int(match[1]), int(match[2] or match[1])) if match else (-1, -1)
    if not 0 <= first <= last <= LAST_LAYER:
        raise InputError(f"freeze = '{text}' is no range of layers: YOLOv3 has layers 0-{LAST_LAYER}, so write '0-74'.")
    return first, last


def _complaints(experiment: Experiment):
    classes, domains, arms = experiment.data.classes, list(experiment.domains), list(experiment.arms)
    if len(set(classes)) < len(classes):
        yield " [data]: classes names a class twice."
    sizes = {"[data] image_size": experiment.data.image_size}
    sizes |= {f"[record] sizes[{i}]": size for i, size in enumerate(experiment.record.sizes)}
    for key, size in sizes.items():
        if size < 32 or size % 32:
            yield f" {key}: {size} is not {NETWORK_SIZE}."
    if experiment.record.sizes[0] == experiment.record.sizes[1]:
        yield " [record] sizes: the two sizes are the same; name two, such as [416, 32]."
    if len(set(experiment.seeds)) < len(experiment.seeds):
        yield " seeds: names a seed twice."
    for key, name in [("[probe] domain", experiment.probe.domain)] + [
        ("[evaluate] domains", name) for name in experiment.evaluate.domains
    ]:
        if name not in domains:
            yield f" {key}: there is no domain '{name}'.{did_you_mean(name, domains)}"
    for name in experiment.evaluate.headline:
        if name not in classes:
            yield f" [evaluate] headline: unknown class '{name}'.{did_you_mean(name, classes)}"
    for name, domain in experiment.domains.items():
        yield from _domain_complaints(name, domain, classes)
    for name, arm in experiment.arms.items():
        yield from _arm_complaints(name, arm, domains, arms)


def _domain_complaints(name: str, domain: Domain, classes: list[str]):
    if (domain.generate is None) == (domain.root is None):
        yield f" [domains.{name}]: needs either 'root' (a folder of yours) or 'generate' (rendered streets), not both."
    for target in domain.labels:
        if target not in classes:
            yield f" [domains.{name}.labels]: unknown class '{target}'.{did_you_mean(target, classes)}"
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
        yield f" [domains.{name}.split]: method '{split.method}' needs 'train' and 'test' (and 'val' or 'val_from_train')."


def _arm_complaints(name: str, arm: Arm, domains: list[str], arms: list[str]):
    for domain in arm.domains:
        if domain not in domains:
            yield f" [arms.{name}]: there is no domain '{domain}'.{did_you_mean(domain, domains)}"
    try:
        parse_layers(arm.freeze)
    except InputError as error:
        yield f" [arms.{name}]: {error}"
    if name in ("scratch", "streets"):
        yield f" [arms.{name}]: '{name}' is a word that 'start' uses; give the arm another name."
    if arm.start in arms and arms.index(arm.start) >= arms.index(name):
        yield f" [arms.{name}]: start = '{arm.start}' must be an arm that stands above '{name}' in the file."
    known = ["scratch", "streets", *arms]
    if arm.start not in known and not Path(arm.start).suffix:
        yield f" [arms.{name}]: start = '{arm.start}' is no arm and no weights file.{did_you_mean(arm.start, known)}"


def _explain(problem: Any) -> list[str]:
    """One pydantic problem as our sentences: where, which value, what was expected."""
    where = [str(part) for part in problem["loc"]]
    if problem["type"] == "extra_forbidden":
        known = _known_keys(where[:-1])
        return [f"{_place(where[:-1])}: unknown key '{where[-1]}'.{did_you_mean(where[-1], known)}"]
    if problem["type"] == "missing":
        return [f"{_place(where[:-1])}: the key '{where[-1]}' is missing."]
    if problem["type"] == "value_error":
        return str(problem["ctx"]["error"]).split("\n")
    message = problem["msg"][0].lower() + problem["msg"][1:]
    return [f"{_place(where[:-1])}: {where[-1]} = {problem['input']!r}: {message}."]


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
