"""What recordings are held against: all features of every module call, copied as soon as they are there."""

from collections import defaultdict

import numpy as np
import torch


def probe(seed=0, n=12, size=32):
    """Blurred noise: images whose neighbouring pixels agree, as those of photographs do."""
    coarse = torch.rand(n, 3, 8, 8, generator=torch.Generator().manual_seed(seed))
    return (torch.nn.functional.interpolate(coarse, size=size, mode="bilinear") * 255).byte()


def settled(model, images, seed=0):
    """The model with random weights from a seed and batch statistics that fit the images, in evaluation mode."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(
                torch.randn(parameter.shape, generator=generator) * (parameter[0].numel() ** -0.5)
                if parameter.ndim > 1
                else 1 + 0.2 * torch.randn(parameter.shape, generator=generator)
            )
        for module in model.modules():
            if isinstance(module, torch.nn.BatchNorm2d):
                module.momentum = None
                module.reset_running_stats()
        model.train()(images.float() / 255)
    return model.eval()


def full_features(model, images, batch_size=8, to_arguments=lambda batch: batch):
    """{layer name: float64 outputs, batch by batch} of every tensor that any module puts out."""
    taken = defaultdict(list)
    counts = defaultdict(int)

    def hook(name):
        def take(module, arguments, output):
            for path, tensor in tensors_in(output):
                taken[name, counts[name], path].append(tensor.detach().clone().double())
            counts[name] += 1

        return take

    handles = [module.register_forward_hook(hook(name)) for name, module in model.named_modules()]
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    with torch.no_grad():
        for part in images.split(batch_size):
            counts.clear()
            model(to_arguments(part.float() / 255))
    for handle in handles:
        handle.remove()
    for module, training in modes:
        module.training = training
    often = {name for name, call, _ in taken if call}
    return {
        f"{name or 'output'}{f'#{call}' if name in often else ''}{path}": parts
        for (name, call, path), parts in taken.items()
    }


def tensors_in(value, path=""):
    """All tensors of an output, in order, each with its place."""
    if isinstance(value, torch.Tensor):
        return [(path, value)]
    if isinstance(value, dict):
        return [found for key, part in value.items() for found in tensors_in(part, f"{path}[{key}]")]
    if isinstance(value, tuple | list):
        return [found for at, part in enumerate(value) for found in tensors_in(part, f"{path}.{at}")]
    inside = vars(value) if hasattr(value, "__dict__") else {}
    return [found for key, part in inside.items() for found in tensors_in(part, f"{path}.{key}")]


def plain_gram(parts):
    """The Gram matrix of the centred features of all batches, in float64."""
    x = torch.cat([part.flatten(1) for part in parts]).numpy()
    x = x - x.mean(0)
    return x @ x.T


def assert_holds(recording, name, parts):
    """The recording's layer has the Gram matrix, the statistics and the number of features of these batches."""
    at = recording.layers.tolist().index(name)
    wanted = plain_gram(parts)
    x = torch.cat([part.flatten(1) for part in parts]).numpy()
    assert recording.p[at] == x.shape[1], name
    np.testing.assert_allclose(recording.gram[at], wanted, atol=1e-5 * np.abs(wanted).max() + 1e-12, err_msg=name)
    for statistic in ("mean", "median", "std", "min", "max"):
        wanted_one = float(getattr(np, statistic)(x))
        scale = max(float(np.abs(x).max()), 1e-12)
        assert abs(getattr(recording, statistic)[at] - wanted_one) <= 1e-5 * scale, (name, statistic)


def largest_gram_difference(a, b):
    """Of two recordings of the same layers: relative to each layer's largest entry."""
    assert a.layers.tolist() == b.layers.tolist()
    assert np.isfinite(a.gram).all() and np.isfinite(b.gram).all()
    scale = np.abs(a.gram).max((1, 2))
    return float((np.abs(a.gram - b.gram).max((1, 2)) / np.where(scale > 0, scale, 1)).max())


def assert_nothing_is_lost(recording, full):
    """What is neither recorded nor skipped is the very output of something that is recorded."""
    recorded = [full[name] for name in recording.layers.tolist()]
    for name in set(full) - set(recording.layers.tolist()) - set(recording.skipped):
        same = [parts for parts in recorded if len(parts) == len(full[name])]
        assert any(all(map(torch.equal, parts, full[name])) for parts in same), f"{name} is lost"
