"""What an experiment is: every setting, its default and its meaning live here once."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator, model_validator
from pydantic_core import PydanticCustomError

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9]+([_.-][A-Za-z0-9]+)*$")]


class Table(BaseModel):
    """A table of the file: frozen, and a key it does not know is refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Data(Table):
    classes: list[str] = Field(min_length=1)
    """The common labels that every domain is mapped to, in the order of the network's outputs."""
    image_size: int = 416
    """Side in pixels of the square that the network sees, a multiple of 32."""
    cache: Literal["memory", "disk", "off"] = "memory"
    """Where letterboxed training images are kept once they are decoded; the samples are the same."""
    cache_folder: str = ""
    """With `disk`: the folder, which studies may share; `image-cache` in the run folder when left out."""

    @field_validator("cache_folder")
    @classmethod
    def _is_used(cls, folder: str, info: ValidationInfo) -> str:
        if folder and info.data.get("cache", "disk") != "disk":
            raise PydanticCustomError("cache", 'it is used with cache = "disk" alone; set that too, or leave this out')
        return folder


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
    allow_missing: bool = False
    """With `lists`: names without a labelled image are passed over, and counted."""
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
    format: (
        Literal[
            "viper",
            "kitti",
            "vkitti2",
            "vkitti1",
            "cityscapes",
            "cityscapes3d",
            "citypersons",
            "synscapes",
            "openimages",
            "bdd100k-2018",
            "bdd100k-det20",
            "bdd100k-old",
            "scalabel",
            "coco",
            "yolo",
            "voc",
        ]
        | None
    ) = None
    """How the labels are written; found out from the folder when left out."""
    images: str = ""
    """Folder of the images below the root, where it is not in the format's usual place."""
    annotations: str = ""
    """File or folder of the labels below the root, likewise."""
    reader_options: dict[str, str] = {}
    """What only this format can be told, see docs/formats.md."""
    label_map: str = ""
    """Name of a label map that comes with gapscope; `labels`, `drop` and `ignore` win over it, name by name."""
    labels: dict[str, list[str]] = {}
    """Common label -> the domain's own names for it. Left out: the domain uses the common labels already."""
    drop: list[str] = []
    """Own names whose boxes are left out: their objects become background."""
    ignore: list[str] = []
    """Own names whose boxes become ignore regions: neither trained on nor scored."""
    groups: str = ""
    """Regular expression on image paths whose first group names the ride, sequence or place; splits keep it whole."""
    min_area: float = Field(0.0, ge=0)
    """Boxes under this area in square pixels are removed."""
    min_area_at: Literal["native", "network"] = "native"
    """Whether `min_area` counts pixels of the original image, or of the letterboxed one that the network sees."""
    max_aspect: float | None = Field(None, ge=1)
    """Boxes whose longer side is more than this many times the shorter one become ignore regions."""
    max_truncation: float | None = Field(None, ge=0, le=1)
    """Boxes of objects that lie outside the image by more than this share become ignore regions."""
    max_occlusion: float | None = Field(None, ge=0, le=1)
    """Boxes of objects that others hide by more than this share become ignore regions."""
    remove_hood: bool = False
    """Remove the driver's own hood where a domain labels it."""
    keep_hood: list[str] = []
    """Groups in which `remove_hood` removes nothing."""
    clip: bool = False
    """Cut boxes at the border of their image; otherwise one that leaves it by more than a pixel is an error."""
    skip_bad: bool = False
    """Leave out broken rows and images, and write down which; otherwise the first one ends the run."""
    max_bad: float = Field(0.05, ge=0)
    """How many problems per image `skip_bad` lets pass."""
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
    hsv: tuple[
        Annotated[float, Field(ge=0, le=0.5)], Annotated[float, Field(ge=0, le=1)], Annotated[float, Field(ge=0, le=1)]
    ] = (0.015, 0.6, 0.4)
    scale: float = Field(0.3, ge=0, lt=1)
    translate: float = Field(0.1, ge=0, lt=1)
    mosaic: float = Field(0.0, ge=0, le=1)
    rotate: float = Field(0.0, ge=0, le=180)
    shear: float = Field(0.0, ge=0, lt=45)
    """Degrees."""


class Train(Table):
    preset: Literal["paper"] | None = None
    """`paper`: what the paper and the code it used did, see `PAPER`; values that are given win over it."""
    epochs: int = Field(100, gt=0)
    batch_size: int = Field(8, gt=0)
    """Images per forward pass, those of all processes together."""
    accumulate: int = Field(1, gt=0)
    """Batches per optimizer step; their gradients are averaged."""
    optimizer: Literal["adam", "adamw", "sgd"] = "adam"
    learning_rate: float = Field(1e-4, gt=0)
    momentum: float = Field(0.937, ge=0, lt=1)
    """Nesterov momentum of `sgd`."""
    weight_decay: float = Field(0.0, ge=0)
    schedule: Literal["constant", "cosine"] = "constant"
    warmup_steps: int = Field(0, ge=0)
    """Optimizer steps over which the learning rate climbs from zero."""
    clip_norm: float = Field(0.0, ge=0)
    """Largest norm of all gradients together; 0 is off."""
    patience: int = Field(10, gt=0)
    """Epochs without a better mAP@0.5 on the validation images before training stops."""
    validate_every: int = Field(1, gt=0)
    """Epochs between two validations; the last epoch is always validated."""
    ema: float = Field(0.0, ge=0, lt=1)
    """Decay per step of a moving average of the weights, which is then what is validated and kept; 0 is off."""
    bn: Literal["frozen", "track"] = "frozen"
    """BatchNorm of frozen layers: `frozen` keeps their statistics too, `track` lets them follow the training images."""
    loss: Literal["giou", "darknet"] = "giou"
    """`giou`: that of the code the paper used; `darknet`: that of YOLOv3's authors."""
    box_gain: float = Field(3.54, ge=0)
    objectness_gain: float = Field(64.3, ge=0)
    class_gain: float = Field(37.4, ge=0)
    """Weights of the loss's parts; left out, `darknet` has 1 for each. With `giou`, `class_gain` is for 80 classes."""
    label_smoothing: float = Field(0.0, ge=0, lt=1)
    """Classes are taught as e / 2 and 1 - e / 2."""
    iou_threshold: float = Field(0.225, gt=0, lt=1)
    """`giou`: every anchor whose shape overlaps an object's by more than this answers for it."""
    always_best: bool = True
    """`giou`: an object that fits no anchor gets its best one."""
    ignore_threshold: float = Field(0.7, gt=0, le=1)
    """`darknet`: places whose predicted box overlaps an object by more are not taught that there is none."""
    augment: Augment = Augment()
    precision: Literal["32", "bf16"] = "32"
    """`bf16` multiplies in bfloat16; weights, statistics and the loss stay in float32."""
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    devices: int | Literal["auto"] = 1
    """How many GPUs, or processes on the CPU, share one training; `auto` takes all GPUs."""
    sync_batchnorm: bool = False
    """Several GPUs normalize over the whole batch instead of each over its own share."""
    compile: bool = False
    """Let torch.compile fuse the network's operations; the first step then takes minutes."""
    workers: int = Field(0, ge=0)
    """Threads that make batches ahead; the batches do not depend on it."""
    checkpoint_minutes: float = Field(10.0, gt=0)
    """Minutes between checkpoints within an epoch; there is one after every epoch too."""
    loggers: list[Literal["tensorboard", "wandb", "mlflow"]] = []
    """Where metrics go besides metrics.jsonl."""

    @model_validator(mode="before")
    @classmethod
    def _fill_in(cls, given: Any) -> Any:
        """What the preset and the loss decide where nothing is given."""
        if not isinstance(given, dict):
            return given
        preset = PAPER if given.get("preset") == "paper" else {}
        filled = preset | given
        if preset and isinstance(given.get("augment"), dict):
            filled["augment"] = preset["augment"] | given["augment"]
        if filled.get("loss") == "darknet":
            filled = {"box_gain": 1.0, "objectness_gain": 1.0, "class_gain": 1.0} | filled
        return filled

    @field_validator("devices", mode="before")
    @classmethod
    def _count_or_auto(cls, value: Any) -> Any:
        if value != "auto" and (not isinstance(value, int) or value < 1):
            raise PydanticCustomError("devices", "input should be a number above 0 or 'auto'")
        return value


PAPER: dict[str, Any] = {
    "epochs": 100,
    "batch_size": 8,
    "optimizer": "adam",
    "learning_rate": 1e-4,
    "patience": 10,
    "weight_decay": 4.84e-4,
    "bn": "track",
    "loss": "giou",
    "always_best": False,
    "augment": {"flip": 0.5, "hsv": (0.0138, 0.678, 0.36), "scale": 0.05, "translate": 0.05, "mosaic": 1.0},
}
"""The paper's settings. Epochs, batch, optimizer, rate and patience stand in it; weight decay, augmentation, the loss
and what BatchNorm does in frozen layers are those of the code family it used, in early 2020."""

NUMBERS_DO_NOT_DEPEND_ON = {"preset", "device", "compile", "workers", "checkpoint_minutes", "loggers"}
"""Keys of [train] that may change while a training stands in a run folder: it is not made again."""


class Evaluate(Table):
    rule: Literal["coco", "paper"] = "coco"
    """Which rule the tables lead with; both are computed."""
    headline: list[str] = []
    """Classes whose mean is the headline number; all of them when left out."""
    confidence: float = Field(0.001, ge=0, lt=1)
    nms_iou: float = Field(0.6, gt=0, lt=1)
    operating_confidence: float = Field(0.25, ge=0, lt=1)
    """Least confidence of the detections that the confusion matrix counts, as a user of the network would set it."""
    bootstraps: int = Field(1000, ge=20)
    """Resamples of the test images behind each interval of a score."""
    domains: list[str] = []
    """Domains whose test images are evaluated on; all that are `real` or `synthetic` when left out."""


class Probe(Table):
    domain: str
    """Domain whose test images every network looks at: tables, figures and verdict speak of these."""
    also: list[str] = []
    """Further domains on whose test images layers are recorded and compared; as many images of each."""
    images: int = Field(200, ge=4)
    seed: int = 0

    @property
    def domains(self) -> list[str]:
        """All of them, the main one first."""
        return [self.domain, *self.also]


class Record(Table):
    sizes: tuple[int, ...] = Field((416, 32), min_length=1)
    """Input sizes: the first is that of Figures 1-6 and Table 3, the second that of Figure 7 and Table 4."""
    memory: str = "8GiB"
    """Live tensors above this spill to disk; the numbers do not change."""


MEASURE_IMAGES = {
    "cka_debiased": 4,
    "cka_biased": 4,
    "cka_rbf_debiased": 4,
    "cka_rbf_biased": 4,
    "cka_deconfounded": 4,
    "cka_angle": 4,
    "rsa": 4,
    "mutual_knn": 12,
    "cca_mean": 4,
    "cca_squared": 4,
    "svcca": 4,
    "svcca_20": 41,
    "pwcca_pooled": 4,
    "procrustes": 4,
    "shape_angle": 4,
}
"""Measures that a study's recordings suffice for, and the fewest images of each; docs/measures.md says more."""


class Similarity(Table):
    measures: list[str] = ["cka_debiased", "cka_biased", "cka_deconfounded", "rsa"]
    """How layers are compared, all with all; `cka_debiased` must be among them. See docs/measures.md."""
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
    def headline_classes(self) -> list[str]:
        """The classes whose mean is the headline number."""
        return self.evaluate.headline or self.data.classes

    @property
    def evaluated_domains(self) -> list[str]:
        return self.evaluate.domains or [n for n, domain in self.domains.items() if domain.role != "control"]
