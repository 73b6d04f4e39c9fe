"""Settings of images and labels: [data] and [domains] (folders, label maps, filters, splits, how many images)."""

from typing import Literal

from pydantic import Field, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from gapscope.config.tables import Table


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


class Generate(Table):
    style: str
    """`camera`, `engine` or `game`."""
    images: int = Field(gt=0)
    size: int = Field(256, ge=64)
    """Side of the rendered images in pixels."""
    seed: int = 0
    severity: float = Field(0.4, ge=0, le=1)
    """How harsh weather and camera are in the style `camera`."""
    same_scenes: bool = False
    """Whether streets and boxes are the same in every style: domains of one seed, size, severity and hood then differ
    in looks alone."""
    hood: bool | None = None
    """Whether the driver's own hood is seen; left out, in the style `engine` where scenes are its own."""


class Split(Table):
    method: Literal["auto", "group", "random", "folders", "lists"] = "auto"
    """`auto` takes folders called train, val and test where all three are there; else it keeps groups (rides,
    sequences, photographers) whole where they are known, else draws at random."""
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
    format: str | None = None
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
    """Own names whose boxes are left out: their objects become background; "*" is all that nothing else names."""
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
