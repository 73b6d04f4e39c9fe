"""Images of a domain without their labels, for arms that may not see these."""

import numpy as np
import torch
from torch import Tensor

from gapscope.data.image_cache import read_letterboxed
from gapscope.data.readers.build import TableBuilder
from gapscope.data.samples import Samples
from gapscope.data.splits import read_list
from gapscope.study.domains import domain_root
from gapscope.study.study import Study


def unlabelled_images(study: Study, domain: str, count: int) -> Tensor:
    """Up to `count` training images of a domain (n, 3, s, s), bytes; drawn once, whatever the seed of a run.

    The data stage's list of training images is read and the image files themselves: no label is within reach.
    """
    root = domain_root(domain, study.experiment.domains[domain], study.folder, study.data_root)
    names = read_list(study.folder.split(domain, "train"))
    drawn = np.sort(np.random.default_rng(0).permutation(len(names))[:count])
    square = study.image_cache.letterboxed if study.image_cache else read_letterboxed
    size = study.experiment.data.image_size
    return torch.stack([square(root / names[i], size)[0] for i in drawn.tolist()])


def unlabelled_samples(study: Study, domain: str) -> Samples:
    """All training images of a domain as samples without boxes, in the order of the data stage's list; no label is
    within reach, as above.

    Raises:
        InputError: An image cannot be read.
    """
    root = domain_root(domain, study.experiment.domains[domain], study.folder, study.data_root)
    builder = TableBuilder(root, tuple(study.experiment.data.classes))
    for name in read_list(study.folder.split(domain, "train")):
        builder.add_image(root / name)
    data = study.experiment.data
    return Samples(builder.table(), size=data.image_size, cache=study.image_cache or data.cache == "memory")
