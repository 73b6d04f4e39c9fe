"""Settings of networks and their training: [model], [arms] (domains, start, freeze), [train] (optimizer, epochs)."""

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator
from pydantic_core import PydanticCustomError

from gapscope.config.tables import Table


class Model(Table):
    name: str = "yolov3"
    """`yolov3`, `yolov3-tiny`, `yolov3-spp`, `yolov3-anchor-free`, or a Darknet `.cfg` file with [yolo] sections, from
    the current folder on; its classes become those of the study."""
    width: float = Field(1.0, gt=0, le=4)
    """Factor on the number of channels of every layer; 1 is the network as published. Of a `.cfg` file always 1."""
    anchor_scale: float = Field(1.0, gt=0)
    """Factor on the anchors, which YOLOv3's makers chose for 416 pixels. A network without anchors has none."""
    prior: float = Field(0.01, ge=0, lt=1)
    """Confidence of an untrained head; 0 leaves its biases as initialised, as the paper did."""


def _names(value: str | list[str]) -> list[str]:
    """One name or several, as a list; none for an empty text."""
    return list(value) if isinstance(value, list) else [value] * bool(value)


class Adapt(Table):
    batchnorm: str | list[str] = ""
    """Domain, or domains, whose training images give BatchNorm its statistics anew, without their labels: the arm is
    not trained, but is the network of its `start`, or an average, with these."""
    images: int = Field(200, gt=0)
    """How many images that takes, from all these domains together, as many of each; the same ones for every seed."""
    layers: str = ""
    """Layers whose statistics are estimated, such as `0-74`; the others keep theirs. All when left out."""
    keep: float = Field(0.0, ge=0, lt=1)
    """Share of the old statistics in the new ones."""
    teacher: str = ""
    """Domain whose training images teach the arm without their labels, while it is trained: what a moving average of
    it finds in them is what it is to find in strongly changed ones (a mean teacher)."""
    weight: float = Field(1.0, ge=0)
    """Weight of what is taught so beside the loss of labelled images; 0 trains as if there were no teacher."""
    confidence: float = Field(0.5, gt=0, lt=1)
    """Least confidence of what the teacher teaches; of what it believes less, down to a fifth of that, nothing is
    said."""
    decay: float = Field(0.999, ge=0, lt=1)
    """Decay per step of the moving average that teaches."""

    @property
    def domains(self) -> list[str]:
        """Of `batchnorm`, as a list."""
        return _names(self.batchnorm)

    @property
    def taught(self) -> str:
        """The domain of `teacher`; empty where it teaches nothing."""
        return self.teacher if self.weight else ""


class Restyle(Table):
    """How training images of one domain are restyled; each part is off at 0, and boxes never move."""

    towards: str = ""
    """Domain whose training images lend amplitudes and colours, without their labels."""
    share: float = Field(0.5, ge=0, le=1)
    """Of the images that are changed, each time drawn anew."""
    fourier: float = Field(0.0, ge=0, le=0.5)
    """Half the side of the square of low frequencies whose amplitudes are lent, as a share of it, such as 0.01."""
    colours: float = Field(0.0, ge=0, le=1)
    """How far mean and spread of each channel go towards those of the image that is lent."""
    camera: float = Field(0.0, ge=0, le=1)
    """Strongest blur, noise and JPEG."""
    randomise: float = Field(0.0, ge=0, le=1)
    """Strongest random change of hue, channels and brightness."""


class OwnAugment(Table):
    """What an arm's images are varied by in place of [train.augment], key by key; what is left out is as there."""

    flip: float | None = Field(None, ge=0, le=1)
    hsv: (
        tuple[
            Annotated[float, Field(ge=0, le=0.5)],
            Annotated[float, Field(ge=0, le=1)],
            Annotated[float, Field(ge=0, le=1)],
        ]
        | None
    ) = None
    scale: float | None = Field(None, ge=0, lt=1)
    translate: float | None = Field(None, ge=0, lt=1)
    mosaic: float | None = Field(None, ge=0, le=1)
    rotate: float | None = Field(None, ge=0, le=180)
    shear: float | None = Field(None, ge=0, lt=45)


class Arm(Table):
    title: str = ""
    model: str = ""
    """The network, by its name in [models]; that of [model] when left out."""
    domains: list[str] = []
    """The domains whose training images the arm sees, with their labels; none for an arm that is not trained."""
    start: str = "scratch"
    """`scratch`, `streets` (the small backbone that comes with gapscope), another arm's name, or a weights file.

    The backbone (layers 0-74 of YOLOv3) is taken from it; the head starts at random, as in the paper, unless
    `keep_head` says otherwise. An arm that is not trained takes the whole network.
    """
    keep_head: bool = False
    """Take the head too, from an arm or from a file of the same classes."""
    freeze: str = ""
    """Layers that stay as they are, such as `0-74`, `0-36, 62` or `backbone`; their BatchNorm statistics too."""
    train: str = ""
    """The other way round: the only layers that learn, such as `62-74, 75-106` or `head`; all others are frozen."""
    trained: str | list[str] = ""
    """Weights of networks that were trained elsewhere, one file for each seed: the arm is not trained here. What they
    were trained on is said by `domains`."""
    detections: dict[str, str | list[str]] = {}
    """Domain -> COCO results of a detector that was trained elsewhere, one file for each seed, for the domain's test
    images. There is no network then, so nothing of it can be recorded or grafted."""
    ids: dict[str, str] = {}
    """Domain -> a COCO file, or class names one a line, that explains the ids of `detections`; left out, the results do
    so themselves, or the domain's own COCO labels."""
    names: dict[str, list[str]] = {}
    """Class -> what `detections` call it; their other categories are not scored. Equal names when left out."""
    adapt: Adapt = Adapt()
    average: dict[str, Annotated[float, Field(ge=0, le=1)]] | list[str] = {}
    """Arms and their shares in the average of their weights, which is not trained; or two arms, of whose average
    `choose` finds the best shares."""
    choose: str | list[str] = ""
    """Domain, or domains, on whose validation images the shares of two arms are chosen: by the mean over them."""
    images: dict[str, Annotated[int, Field(gt=0)]] = {}
    """Domain -> how many of its training images it sees, drawn by its seed, 100 among 300. All when left out."""
    half: Literal["", "first", "second"] = ""
    """One half of the training images of each of its domains, whole groups together, the same with every seed: arms of
    the two halves show what is there between any two sets of such images."""
    shares: dict[str, Annotated[float, Field(gt=0, le=1)]] = {}
    """Domain -> its share of every batch, to the image; as the images come when left out."""
    steps: int = Field(0, ge=0)
    """Optimizer steps of the whole training. Left out (0), an arm with `images`, `half` or `shares` takes as many as
    the first arm of the file without, and any other as many as its images make."""
    epochs: int | None = Field(None, gt=0)
    """In place of that of [train], as the next."""
    learning_rate: float | None = Field(None, gt=0)
    augment: OwnAugment | None = None
    restyle: dict[str, Restyle] = {}
    """Domain -> how its training images are restyled."""
    report: bool = True
    """Whether tables and figures show the arm."""
    record: bool = True
    """Whether layers of the arm are recorded and compared; otherwise it is only evaluated."""

    @property
    def has_diet(self) -> bool:
        """Whether it sees its images in other numbers than they come."""
        return bool(self.images or self.shares or self.steps or self.half)

    @property
    def chosen_on(self) -> list[str]:
        """`choose` as a list."""
        return _names(self.choose)

    @property
    def is_trained(self) -> bool:
        """Otherwise its network comes from elsewhere, or is made of others', without a step of training."""
        return not (self.average or self.adapt.batchnorm or self.is_given)

    @property
    def is_given(self) -> bool:
        """Whether it was trained elsewhere."""
        return bool(self.trained or self.detections)

    @property
    def has_network(self) -> bool:
        """Otherwise there is nothing of it but what it has found."""
        return not self.detections

    def files_of(self, given: str | list[str], seeds: Sequence[int]) -> dict[int, str]:
        """The file of each seed, among those that `trained` or `detections` give."""
        return dict(zip(seeds, _names(given), strict=True))


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
    preset: Literal["paper", "paper-2020-04", "recommended"] | None = None
    """`paper`: what the paper and the code it used did, see `PAPER`; values that are given win over it.
    `paper-2020-04`: where the paper is silent, one dated version of that code, see `PAPER_2020_04`.
    `recommended`: what learns more in few epochs, see `RECOMMENDED`."""
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
    """Epochs without a better mAP@0.5 on the validation images before training stops; not counted while it is 0."""
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
    giou_ratio: float = Field(0.0, ge=0, le=1)
    """`giou`: how much of the objectness that a right place is taught is the GIoU of its box, instead of 1."""
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
        preset = PRESETS.get(str(given.get("preset")), {})
        filled = preset | given
        if preset is RECOMMENDED and isinstance(filled["epochs"], int):  # what is no number is told once
            filled = {"patience": filled["epochs"]} | filled
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
and what BatchNorm does in frozen layers are those of the code family it used. Not of one version of it: shifts and
zooms are those before 10 March 2020, the class gain's factor N / 80 came on 6 April, and the objectness of a right
place is taught as 1, as in 2019. It stays as it is for the studies that were made with it."""

PAPER_2020_04: dict[str, Any] = {
    **PAPER,
    "giou_ratio": 1.0,
    "augment": {"flip": 0.5, "hsv": (0.0138, 0.678, 0.36), "scale": 0.0, "translate": 0.0, "mosaic": 1.0},
}
"""The same with the code of 6 to 12 April 2020: the last that took 416 pixels, and of the versions that the paper's
PyTorch 1.4 fits the one whose class gain has the factor N / 80. Its objectness is taught as the GIoU, to which that
code went over within its first steps, and its images are neither zoomed nor shifted. Not taken over: its moving average
with a warm-up, its schedule of 300 epochs, and the first steps of its biases."""

RECOMMENDED: dict[str, Any] = {
    "epochs": 20,
    "optimizer": "adamw",
    "learning_rate": 1e-3,
    "weight_decay": 1e-4,
    "schedule": "cosine",
    "warmup_steps": 60,
    "ema": 0.99,
    "augment": {},
}
"""With these, thin networks learn more of few images in few epochs than with the defaults, see
docs/benchmarks/training.md. Patience is as many epochs as there are, where nothing else is given: the rate is to fall
to its end, where the best epoch mostly is."""

PAPERS = {"paper": PAPER, "paper-2020-04": PAPER_2020_04}
PRESETS = PAPERS | {"recommended": RECOMMENDED}

NUMBERS_DO_NOT_DEPEND_ON = {"preset", "device", "compile", "workers", "checkpoint_minutes", "loggers"}
"""Keys of [train] that may change while a training stands in a run folder: it is not made again."""
