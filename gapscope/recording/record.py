"""What does every layer of a model make of the images? For any PyTorch model, in the way that suits it best.

gapscope's own networks go layer by layer, and so does any model whose computation can be traced; any other is called as
it is and watched by hooks. All three give the same numbers.
"""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor, nn

from gapscope.detector.network import Darknet
from gapscope.errors import InputError
from gapscope.kept_memory import kept_memory
from gapscope.leftovers import temporary_folder
from gapscope.progress import Progress, silent
from gapscope.recording import layer_sync
from gapscope.recording.box_pooling import BoxPooling
from gapscope.recording.choose import Layers, choose_indices, choose_outputs, choose_skipped
from gapscope.recording.crew import crew
from gapscope.recording.evaluating import dtype_of, evaluating, home_of
from gapscope.recording.given_images import Images, given_images
from gapscope.recording.graph_sync import record_by_graph
from gapscope.recording.hooks import record_by_hooks
from gapscope.recording.input_gram import input_gram
from gapscope.recording.layer_numbers import Statistics, check_statistics, stated
from gapscope.recording.layer_sync import Precision, check_precision
from gapscope.recording.live_tensors import LiveTensors, parse_memory
from gapscope.recording.measured import Grams, Measured, check_budget, map_sides, usual_working_bytes, without_boxes
from gapscope.recording.object_boxes import ObjectBoxes, as_object_boxes
from gapscope.recording.objects import objects_of, of_objects
from gapscope.recording.outputs import is_dense, named_tensors
from gapscope.recording.plan import RecordingPlan, explore
from gapscope.recording.probe_images import Inputs, Preprocess, ProbeImages, usual_inputs
from gapscope.recording.recording import STATISTICS, Recording
from gapscope.recording.schedule import recording_bytes
from gapscope.recording.trace import CannotFollowError, trace

Method = Literal["auto", "graph", "hooks"]


def record(
    model: nn.Module,
    images: Images,
    *,
    size: int | None = None,
    layers: Layers | None = None,
    preprocess: Preprocess = "0-1",
    inputs: Inputs | None = None,
    method: Method = "auto",
    batch_size: int | None = None,
    precision: Precision = "32",
    memory: str | int = "8GiB",
    device: str | torch.device | None = None,
    progress: Progress = silent,
    paths: Sequence[str] | None = None,
    provenance: Mapping[str, str] | None = None,
    boxes: ObjectBoxes | Sequence[ArrayLike] | None = None,
    statistics: Statistics = "exact",
) -> Recording:
    """Run all images through a model and keep a Gram matrix and a few numbers per layer.

    The model is put into evaluation mode and handed back as it was, also after an error. What of it cannot be recorded
    is listed with the reason in `skipped` of the recording. docs/any-model.md says what counts as a layer.

    Args:
        model: Any module. Of gapscope's own networks the layers are recorded by Darknet index, unless preprocess,
            inputs or method is given; of any other model every call of a module that calls no others, and every
            output that other modules compute themselves.
        images: At least 4, in any of these forms. A tensor or an array: uint8 (n, 3, size, size), letterboxed RGB, or
            floats (n, c, h, w), which are taken as they are and go to `preprocess`. A list of such images. A list of
            image files, or a folder, which are letterboxed. A `DataLoader` or anything else that gives such batches,
            alone, first in a tuple, or in a dictionary; it is read to its end, and in one order each time.
        size: Side of the images, pixels; None: their own, of files 416.
        layers: Which layers: of gapscope's own networks indices such as 82, "0-74" or range(75), of others names and
            patterns such as "layer1.*"; or a list of them; None: all.
        preprocess: What the model's weights expect: "0-1", "imagenet", or a function from a float batch (b, 3, s, s)
            of values from 0 to 1 to a batch.
        inputs: From a prepared batch to the model's arguments: a tuple is several, a dict named ones. `list` gives a
            list of images (3, s, s), which is what torchvision's detectors get without asking.
        method: "graph" or "hooks" insists on one way; "auto" takes the graph where the model can be traced.
        batch_size: Images per call; None: as many as suit a layer of gapscope's own networks, 8 of other models.
            Results do not depend on it (beyond float32 rounding).
        precision: "bf16" computes the convolutions of gapscope's own networks in bfloat16, see docs/measures.md.
        memory: How much the kept activations, working copies and the recording itself may take, like "8GiB"; the
            model's own use during a batch comes on top. With less memory more is kept in mapped files, or more passes
            are made; the numbers do not change.
        device: Where to compute; None: where the model is.
        progress: Told after each step.
        paths: The images' names, in order; 0, 1, ... if left out.
        provenance: Kept in the recording: arm, seed, probe.
        boxes: Objects, which then are the rows in place of images: a layer's map is averaged over each box, every cell
            by the area that it shares with the box. For each image an array (k, 4) of `xyxy` in pixels of `images`,
            or what `gapscope.object_boxes` makes of labels, with classes. Layers that put out no map, and maps of
            which no box covers a whole cell, are listed in `skipped`; where some boxes cover less than a cell,
            `objects.in_cells` says which: their row says as much of what is around them.
        statistics: "exact" finds each layer's median and extremes exactly, which takes up to a fifth of the time; with
            "sampled" the median is that of 65,536 values, with None median and extremes are NaN. Gram matrices, means
            and deviations are the same.

    Raises:
        InputError: For images that do not fit, boxes outside the images, a model that cannot take them or computes
            something else each time, layers that it does not have, a precision that there is not, or a budget too
            small for one step.
    """
    given = given_images(images, size, paths)
    images, names, size = given.pixels, given.names, given.size
    if boxes is not None:
        if images.shape[-2] != images.shape[-1]:
            raise InputError(f"boxes lie on squares, but images are {images.shape[-1]} x {images.shape[-2]} pixels.")
        boxes = as_object_boxes(boxes, len(images), size)
    if isinstance(model, Darknet) and (preprocess, inputs, method) == ("0-1", None, "auto"):
        return layer_sync.record_by_layers(
            model,
            images,
            size=size,
            layers=None if layers is None else choose_indices(layers, len(model.table)),
            batch_size=batch_size,
            precision=precision,
            memory=memory,
            device=device or home_of(model),
            progress=progress,
            paths=names,
            provenance=provenance,
            boxes=boxes,
            statistics=statistics,
        )
    check_precision(precision)
    check_statistics(statistics)
    if precision != "32":
        raise InputError(
            f"precision = {precision!r} is for gapscope's own networks alone. Give the model in the precision you mean."
        )
    model = _unwrapped(model)
    probe = ProbeImages(
        images,
        preprocess=preprocess,
        inputs=inputs or usual_inputs(model),
        batch_size=8 if batch_size is None else batch_size,
        device=torch.device(device) if device else home_of(model),
        dtype=dtype_of(model),
        pooling=None if boxes is None else BoxPooling(boxes, size),
        statistics=statistics,
    )
    what = f"recording {(provenance or {}).get('arm', '')} at {size} px".replace("  ", " ")
    with evaluating(model, probe.device), kept_memory():
        ours = any(isinstance(module, Darknet) for module in model.modules())  # whose yolo layers hand on the raw maps
        plan = explore(model, probe, copies=ours)
        measured, gram, skipped, how = _measure(
            model, probe, plan, layers, method, parse_memory(memory), progress, what
        )
    if not measured:
        raise InputError(f"no layer could be recorded: {'; '.join(f'{name} {why}' for name, why in skipped.items())}.")
    objects = None
    if boxes is not None:
        maps = [sides for one in measured if (sides := map_sides(one.output))]
        objects = objects_of(boxes, names, maps)
    pixels = hashlib.sha256(images.cpu().contiguous().numpy().data).hexdigest()
    known = of_objects({"pixels_sha256": pixels, "input_gram": input_gram(images)}, boxes)
    about = {"model": type(model).__name__, "recorded_by": how, "preprocess": _name_of(preprocess)}
    if images.is_floating_point():
        about["images_given"] = f"{str(images.dtype).removeprefix('torch.')} {tuple(images.shape)}"
    if probe.inputs:
        about["inputs"] = _name_of(probe.inputs)
    if layers is None and plan.handing_on:
        about["handing_on"] = plan.handing_on
    return Recording(
        **_columns(measured),
        gram=gram,
        images=names if objects is None else objects.names,
        size=size,
        network_sha256=model_fingerprint(model),
        pixels_sha256=known["pixels_sha256"],
        input_gram=known["input_gram"],
        objects=objects,
        device=str(probe.device),
        dtype=str(probe.dtype).removeprefix("torch."),
        provenance=about | dict(provenance or {}) | stated(statistics),
        skipped=skipped,
    )


def _measure(
    model: nn.Module,
    probe: ProbeImages,
    plan: RecordingPlan,
    layers: Layers | None,
    method: Method,
    budget: int,
    progress: Progress,
    what: str,
) -> tuple[list[Measured], np.ndarray, dict[str, str], str]:
    """The layers, their Gram matrices, what was skipped, and how it was done."""
    wanted = choose_outputs(plan, layers)
    skipped = choose_skipped(plan, layers)
    if probe.pooling is not None:
        reasons = without_boxes(wanted, probe.pooling)
        wanted, skipped = [output for output in wanted if output.name not in reasons], skipped | reasons
        if not wanted:
            return [], np.empty(0), skipped, ""
    widest = max(wanted, key=lambda output: output.num_features)
    working = usual_working_bytes(widest, probe)
    rows = len(probe) if probe.pooling is None else len(probe.pooling)
    channels = sum(output.num_channels for output in wanted)
    with temporary_folder() as folder, crew():  # once for all layers
        live = LiveTensors(budget, probe.device, folder, kept=recording_bytes(rows, len(wanted), channels))
        check_budget(live, working, f"layer {widest.name}", len(probe), probe.images.shape[-1])
        grams = Grams(len(wanted), rows)
        why_not = "hooks"
        if method != "hooks":
            try:
                if probe.inputs:
                    raise CannotFollowError("the model takes other arguments than one batch")
                measured = record_by_graph(trace(model, plan.leaves), probe, wanted, live, grams, progress, what)
                return measured, grams.taken(), skipped, "graph"
            except CannotFollowError as error:
                if method == "graph":
                    raise InputError(
                        f"{type(model).__name__} cannot be recorded by its graph: {error}. Leave method out, or say "
                        "'hooks'."
                    ) from error
                why_not = f"hooks, not graph: {error}"
        measured, dropped, passes = record_by_hooks(model, probe, wanted, live, grams, progress, what, plan.live_bytes)
        times = "pass" if passes == 1 else "passes"
        return measured, grams.taken(), skipped | dropped, f"{why_not} ({passes} {times})"


def _columns(measured: list[Measured]) -> dict[str, np.ndarray]:
    """The recording's arrays but for the Gram matrices, one row per layer."""
    outputs = [one.output for one in measured]
    return {
        "layers": np.array([output.name for output in outputs]),
        "kind": np.array([output.kind for output in outputs]),
        "p": np.array([one.num_features for one in measured]),
        "channels": np.array([one.pooled.shape[1] for one in measured]),
        "pooled": np.concatenate([one.pooled for one in measured], axis=1),
        **{name: np.array([getattr(one.numbers, name) for one in measured]) for name in STATISTICS},
    }


def model_fingerprint(model: nn.Module) -> str:
    """SHA-256 (hex) over a model's class and the names, types, shapes and values of its weights and buffers.

    It does not depend on the device or the memory format.
    """
    digest = hashlib.sha256(f"{type(model).__module__}.{type(model).__qualname__}\n".encode())
    for name, value in model.state_dict().items():
        for path, tensor in named_tensors(value, name):  # quantized layers keep their weights in tuples
            digest.update(f"{path} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
            for part in _dense_parts(tensor.detach().cpu()):
                digest.update(part.contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def _dense_parts(tensor: Tensor) -> list[Tensor]:
    """What decides a tensor's values, in tensors that lie in memory as they are."""
    if not tensor.is_quantized:
        return [tensor if is_dense(tensor) else tensor.to_dense()]
    if tensor.qscheme() in (torch.per_tensor_affine, torch.per_tensor_symmetric):
        return [tensor.int_repr(), torch.tensor([tensor.q_scale(), tensor.q_zero_point()], dtype=torch.float64)]
    return [tensor.int_repr(), tensor.q_per_channel_scales(), tensor.q_per_channel_zero_points()]


def _unwrapped(model: nn.Module) -> nn.Module:
    """The model itself, out of torch.compile and out of data parallelism, whose wrapping would rename its layers.

    Raises:
        InputError: If its layers cannot be seen or have no shape yet.
    """
    if isinstance(model, nn.DataParallel | nn.parallel.DistributedDataParallel):
        return _unwrapped(model.module)
    if isinstance(compiled := getattr(model, "_orig_mod", None), nn.Module):
        return _unwrapped(compiled)
    if isinstance(model, torch.jit.ScriptModule):
        raise InputError(
            f"{type(model).__name__} is TorchScript, which does not show what its layers put out. Give the Python "
            "module that it was made from."
        )
    if any(isinstance(parameter, nn.parameter.UninitializedParameter) for parameter in model.parameters()):
        raise InputError(f"{type(model).__name__} has lazy weights without a shape. Run one batch through it first.")
    return model


def _name_of(function: object) -> str:
    return function if isinstance(function, str) else getattr(function, "__name__", type(function).__name__)
