"""Every layer of a recording, ready for one measure; and all values between two networks' layers."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from gapscope.progress import Progress, silent
from gapscope.recording.recording import Recording
from gapscope.similarity.between_groups import unit_pair
from gapscope.similarity.components import remove_top
from gapscope.similarity.gram import Array, flatten
from gapscope.similarity.groups import Groups
from gapscope.similarity.layer_view import LayerView, UndefinedError
from gapscope.similarity.measures import Measure

T = TypeVar("T")


@dataclass(frozen=True)
class Views:
    """The layers of one network: what is known of each, or why it is not fit for comparison."""

    layers: tuple[LayerView | None, ...]
    reasons: tuple[str, ...]
    """Empty where the layer is fit."""
    removed: Array
    """(layers,) share of the variance that was taken away with the top components."""
    n: int
    """Images."""
    groups: Groups | None = None
    """Which images belong together; None where all are independent."""
    made: dict[Any, Any] = field(default_factory=dict, init=False, repr=False, compare=False)
    """What was made of the layers already, see `once`."""

    def once(self, key: Any, make: Callable[[], T]) -> T:
        """What `make` gives, made the first time that something is asked for under this key."""
        if key not in self.made:
            self.made[key] = make()
        found: T = self.made[key]
        return found

    def select(self, rows: NDArray[np.intp]) -> "Views":
        """The same layers over some of the images."""
        groups = self.groups and self.groups.select(rows)
        layers = tuple(view and view.select(rows) for view in self.layers)
        return replace(self, layers=layers, n=len(rows), groups=groups)


def views_of(
    recording: Recording, *, remove: int = 0, input_gram: Array | None = None, groups: Groups | None = None
) -> Views:
    """The layers of a recording.

    Args:
        recording: Of one network.
        remove: How many principal components are taken away from each layer.
        input_gram: (n, n) of the images themselves, centred; that of the recording if it has one and this is None.
        groups: Which images belong together.
    """
    layers: list[LayerView | None] = []
    reasons, removed = [], np.zeros(len(recording.layers))
    starts = np.cumsum([0, *recording.channels])
    own = recording.input_gram if input_gram is None else input_gram
    for at, gram in enumerate(recording.gram):
        view: LayerView | None = None
        reason = _dead(recording, at)
        if not reason:
            pooled = recording.pooled[:, starts[at] : starts[at + 1]].astype(np.float64)
            view = LayerView(gram, pooled, input_gram=own, groups=groups)
        if view and remove:
            try:
                view, removed[at] = remove_top(view, remove)
            except UndefinedError as error:
                view, reason = None, str(error)
        layers.append(view)
        reasons.append(reason)
    return Views(tuple(layers), tuple(reasons), removed, len(recording.images), groups)


def _dead(recording: Recording, at: int) -> str:
    """Why a layer's Gram matrix holds nothing but float32 rounding, if so: its values hardly differ between images."""
    n, p = len(recording.images), int(recording.p[at])
    spread = np.sqrt(np.trace(recording.gram[at]) / (n * p))
    if spread <= 1e-6 * np.hypot(recording.mean[at], recording.std[at]):
        return "tells no images apart: its values are the same for all of them, up to rounding"
    return ""


@dataclass(frozen=True)
class Prepared:
    """All layers of one network as one measure wants them."""

    measure: Measure
    layers: tuple[Any, ...]
    """None where the measure is undefined; flat (see `flatten`) where it is a sum of products."""
    reasons: tuple[str, ...]
    """Why it is; empty elsewhere."""
    n: int
    """Images."""
    groups: Groups | None = None
    """Which of them belong together."""
    duals: tuple[Array | None, ...] | None = None
    """Of debiased CKA with groups, the other factor of the sum of products, see `between_groups`."""
    stack: Array | None = None
    """The layers side by side, if they were made so: of a thousand images a copy of them would take half a gigabyte."""

    def __len__(self) -> int:
        return len(self.layers)

    @cached_property
    def vectors(self) -> Array:
        """(layers, n (n + 1) / 2) of a measure that is a sum of products; NaN where undefined."""
        return self._stacked(self.layers) if self.stack is None else self.stack

    @cached_property
    def factors(self) -> Array:
        """Likewise, what they are multiplied with: themselves, or their duals."""
        return self.vectors if self.duals is None else self._stacked(self.duals)

    def _stacked(self, layers: tuple[Any, ...]) -> Array:
        blank = np.full(self.n * (self.n + 1) // 2, np.nan)
        return np.stack([blank if one is None else one for one in layers])

    def shuffled(self, order: NDArray[np.intp]) -> "Prepared":
        """The same layers of a measure of pairs with their images in another order; groups stay where they are."""
        layers = (None if one is None else one[order] for one in self.layers)
        return Prepared(self.measure, tuple(layers), self.reasons, self.n, self.groups)

    @property
    def defined(self) -> NDArray[np.bool_]:
        return np.array([one is not None for one in self.layers])


def prepare(views: Views, measure: Measure) -> Prepared:
    """Each layer as the measure wants it, or the reason why it is undefined; the same again if it was asked before."""
    return views.once(measure, lambda: _prepare(views, measure))


def _prepare(views: Views, measure: Measure) -> Prepared:
    layers: list[Any] = []
    duals: list[Array | None] = []
    reasons = []
    between = views.groups is not None and measure.debiased
    stack = None
    if measure.pair is None:
        stack = np.empty((len(views.layers), views.n * (views.n + 1) // 2))
    for at, (view, reason) in enumerate(zip(views.layers, views.reasons, strict=True)):
        one, dual = None, None
        try:
            if view is not None and between:
                assert measure.kernel is not None and view.groups is not None
                one, other = unit_pair(measure.kernel(view), view.groups)
                dual = flatten(other)
            elif view is not None:
                one = measure.prepare(view)
            if one is not None and stack is not None:
                one = flatten(one, out=stack[at])
            reasons.append(reason)
        except UndefinedError as error:
            reasons.append(str(error))
        if one is None and stack is not None:
            stack[at] = np.nan
        layers.append(one)
        duals.append(dual)
    return Prepared(
        measure, tuple(layers), tuple(reasons), views.n, views.groups, tuple(duals) if between else None, stack
    )


def all_cells(a: Prepared, b: Prepared, progress: Progress = silent) -> Array:
    """The measure of each layer of a with each of b (layers of a, layers of b); NaN where undefined."""
    measure = a.measure
    if measure.pair is None:
        return finished(measure, a.factors @ b.vectors.T)
    values = np.full((len(a), len(b)), np.nan)
    for row, one in enumerate(a.layers):
        if one is not None:
            values[row] = [np.nan if other is None else measure.pair(one, other) for other in b.layers]
        progress(f"{measure.title}, all layers", row + 1, len(a))
    return values


def diagonal(a: Prepared, b: Prepared) -> Array:
    """The measure of each layer with its counterpart (layers,); NaN where undefined."""
    measure, values = a.measure, np.full(len(a), np.nan)
    for at, (one, other) in enumerate(zip(a.duals or a.layers, b.layers, strict=True)):
        if one is None or other is None:
            continue
        values[at] = measure.pair(one, other) if measure.pair else finished(measure, (one * other).sum())
    return values


def finished(measure: Measure, products: Array) -> Array:
    """What a measure makes of its sums of products."""
    return measure.finish(products) if measure.finish else products


def kernels(views: Views, prepared: Prepared) -> list[Array | None]:
    """The matrices (n, n) whose CKA is taken, of the layers where it is defined."""
    measure = prepared.measure
    assert measure.kernel is not None
    return [
        measure.kernel(view) if view and one is not None else None
        for view, one in zip(views.layers, prepared.layers, strict=True)
    ]


def same_layers(a: Recording, b: Recording) -> bool:
    """Whether two networks can be compared layer by layer."""
    return np.array_equal(a.layers, b.layers)
