"""What does a model do that recorders get wrong? Found out by running it, not by what it says of itself."""

from collections import Counter
from typing import Any

from full_features import tensors_in
from torch import Tensor, fx, nn


def traits_of(model: nn.Module, images: Tensor) -> set[str]:
    """Words for what shows when a model in evaluation mode sees images (n, 3, h, w), uint8.

    "branches": two modules make something of one tensor. "changes in place": a tensor is not what it was when a module
    put it out. "other rows": the first axis of an output is not the images. "remembers": a tensor stays in an
    attribute. The others say what they mean.
    """
    watch = _Watch(len(images))
    handles = [module.register_forward_pre_hook(watch.begin) for module in model.modules()]
    handles += [module.register_forward_hook(watch.end) for module in model.modules()]
    model(images.float() / 255)
    for handle in handles:
        handle.remove()
    found = watch.found
    if max(watch.calls.values()) > 1:
        found.add("a module called twice")
    if any(module not in watch.calls and not any(module.children()) for module in model.modules()):
        found.add("a module never called")
    if max(watch.readers.values()) > 1:
        found.add("branches")
    if any(tensor._version != version for tensor, version in watch.seen):
        found.add("changes in place")
    if any(isinstance(value, Tensor) for module in model.modules() for value in vars(module).values()):
        found.add("remembers")
    try:
        fx.symbolic_trace(model)
    except Exception:  # whatever its code does with a stand-in for a tensor
        found.add("cannot be traced")
    return found


class _Watch:
    """Forward hooks that note what they see."""

    def __init__(self, num_images: int) -> None:
        self.num_images = num_images
        self.found: set[str] = set()
        self.calls: Counter[nn.Module] = Counter()
        self.readers: Counter[tuple[int, int]] = Counter()
        """By a tensor's identity and state: how many calls of modules that call no others read it."""
        self.reads: list[tuple[Tensor, int]] = []
        """What the call that began last reads, with its state then."""
        self.seen: list[tuple[Tensor, int]] = []
        """Every tensor with the state in which it was put out or read; kept, so that no other has its identity."""

    def begin(self, module: nn.Module, arguments: tuple[Any, ...]) -> None:
        self.calls[module] += 1
        read = {id(one): (one, one._version) for one in arguments if isinstance(one, Tensor)}
        self.reads = list(read.values())
        self.seen += self.reads

    def end(self, module: nn.Module, arguments: tuple[Any, ...], output: Any) -> None:
        if not any(module.children()):
            self.readers.update(
                (id(one), then) for one, then in self.reads if one is not output or one._version != then
            )
        if not isinstance(output, Tensor):
            kinds = {dict: "a dictionary", list: "a list", tuple: "a list"}
            self.found.add(kinds.get(type(output), "an object"))
        if isinstance(module, nn.Dropout):
            self.found.add("dropout")
        for _, tensor in tensors_in(output):
            self.seen.append((tensor, tensor._version))
            if tensor.ndim == 0 or len(tensor) != self.num_images:
                self.found.add("other rows")
            if not tensor.is_floating_point():
                self.found.add("numbers that are no activations")
            elif list(module.parameters()) and not tensor.requires_grad:
                self.found.add("a part without gradients")
