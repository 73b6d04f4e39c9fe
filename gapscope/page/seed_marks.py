"""What every arm found with its other seeds, as markup that the page holds compressed until a reader asks for it."""

import json
from collections.abc import Sequence

from jinja2 import Environment
from markupsafe import Markup

from gapscope.page.box_marks import BOX_KINDS
from gapscope.page.embedding import compressed
from gapscope.page.galleries import Gallery

ELEMENT = "gapscope-seeds"
"""Id of the element that scripts/pictures.js looks for."""


def seed_marks(environment: Environment, galleries: Sequence[Gallery]) -> Markup:
    """An element with the boxes of every picture, by seed and arm; empty where no picture has a second seed."""
    draw = environment.get_template("marks.html.j2").make_module({"box_kinds": BOX_KINDS})
    found = {
        f"picture-{i}-{j}": {
            str(seed): {arm: str(draw.marks(marks, picture, gallery.confidence)) for arm, marks in of.items()}  # type: ignore[attr-defined]
            for seed, of in picture.other_seeds.items()
        }
        for i, gallery in enumerate(galleries, 1)
        for j, picture in enumerate(gallery.pictures, 1)
        if picture.other_seeds
    }
    if not found:
        return Markup("")
    text = compressed(json.dumps(found, ensure_ascii=False, separators=(",", ":")))
    return Markup('<script type="application/gzip" id="{}">{}</script>').format(ELEMENT, text)


def marked_seeds(galleries: Sequence[Gallery]) -> list[int]:
    """Seeds besides the first that every picture can be drawn with."""
    pictures = [picture for gallery in galleries for picture in gallery.pictures]
    return [
        seed for seed in (pictures[0].other_seeds if pictures else ()) if all(seed in p.other_seeds for p in pictures)
    ]
