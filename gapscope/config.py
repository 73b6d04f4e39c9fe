"""What an experiment is: every setting, its default and its meaning live here once."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9]+([_.-][A-Za-z0-9]+)*$")]


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
    groups: str = ""
    """Regular expression on image paths whose first group names the ride, sequence or place; splits keep it whole."""
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
    """Threads that make batches ahead; the batches do not depend on it."""
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

    @property
    def reported_arms(self) -> list[str]:
        return [name for name, arm in self.arms.items() if arm.report]

    @property
    def evaluated_domains(self) -> list[str]:
        return self.evaluate.domains or [n for n, domain in self.domains.items() if domain.role != "control"]
