"""Models put together at random from parts that recorders are known to get wrong."""

import random
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional as F

CHANNELS = 6


class ConvNormRelu(nn.Module):
    """The activation overwrites what the norm put out."""

    def __init__(self):
        super().__init__()
        self.conv, self.norm = nn.Conv2d(CHANNELS, CHANNELS, 3, padding=1), nn.BatchNorm2d(CHANNELS)

    def forward(self, x):
        return F.leaky_relu(self.norm(self.conv(x)), 0.1, inplace=True)


class Residual(nn.Module):
    """One activation called twice, and a sum taken in place."""

    def __init__(self):
        super().__init__()
        self.first, self.second = (nn.Conv2d(CHANNELS, CHANNELS, 3, padding=1) for _ in range(2))
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x):
        out = self.second(self.relu(self.first(x)))
        out += x
        return self.relu(out)


class Branches(nn.Module):
    """Three branches of different length, joined; one module is in two of them."""

    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Conv2d(CHANNELS, 3, 1), nn.Conv2d(CHANNELS, 3, 3, padding=1)
        self.join = nn.Conv2d(9, CHANNELS, 1)

    def forward(self, x):
        return self.join(torch.cat([self.a(x), self.b(x.flip(1)), self.b(x)], dim=1))


class Dictionary(nn.Module):
    """A part that puts out a dictionary of a map, a list and a number."""

    class Both(nn.Module):
        def forward(self, x):
            return {"map": x * 2, "parts": [x - 1, x.mean((2, 3))], "note": 7, "index": x.argmax(1)}

    def __init__(self):
        super().__init__()
        self.both = self.Both()

    def forward(self, x):
        found = self.both(x)
        return found["map"] + found["parts"][0] + found["parts"][1][:, :, None, None]


@dataclass
class Pair:
    map: torch.Tensor
    other: torch.Tensor


class AsObject(nn.Module):
    """A part that puts out an object."""

    class Make(nn.Module):
        def forward(self, x):
            return Pair(x + 1, x.sum(1))

    def __init__(self):
        super().__init__()
        self.make = self.Make()

    def forward(self, x):
        pair = self.make(x)
        return pair.map + pair.other[:, None]


class Tokens(nn.Module):
    """Tokens, split and viewed, with attention weights as a second output."""

    def __init__(self):
        super().__init__()
        self.norm, self.attention = nn.LayerNorm(CHANNELS), nn.MultiheadAttention(CHANNELS, 2, batch_first=True)
        self.mix = nn.Linear(CHANNELS, 2 * CHANNELS)

    def forward(self, x):
        tokens = F.avg_pool2d(x, 4).flatten(2).transpose(1, 2)
        tokens = tokens + self.attention(*[self.norm(tokens)] * 3)[0]
        gate, value = self.mix(tokens).chunk(2, dim=2)
        mixed = (gate.sigmoid() * value).transpose(1, 2).reshape(x.shape[0], CHANNELS, x.shape[2] // 4, -1)
        return x + F.interpolate(mixed, scale_factor=4)


class TokensFirst(nn.Module):
    """A part whose output has the images second."""

    def __init__(self):
        super().__init__()
        self.turned = nn.Linear(CHANNELS, CHANNELS)

    def forward(self, x):
        tokens = F.avg_pool2d(x, 8).flatten(2).permute(2, 0, 1)
        return x + self.turned(tokens).mean(0)[:, :, None, None]


class Asleep(nn.Module):
    """Dropout, a part without gradients, and a part that is never called."""

    def __init__(self):
        super().__init__()
        self.drop, self.unused = nn.Dropout(0.5), nn.Conv2d(CHANNELS, CHANNELS, 1)
        self.conv = nn.Conv2d(CHANNELS, CHANNELS, 1)

    def forward(self, x):
        with torch.no_grad():
            x = self.conv(x)
        return self.drop(x)


class Overwriting(nn.Module):
    """A part that overwrites its input, which is read again afterwards."""

    class Spoil(nn.Module):
        def forward(self, x):
            return x.mul_(0.5).clamp_(min=-1)

    def __init__(self):
        super().__init__()
        self.conv, self.spoil = nn.Conv2d(CHANNELS, CHANNELS, 1), self.Spoil()

    def forward(self, x):
        x = self.conv(x)
        y = self.spoil(x)
        return x + y


class ThroughAView(nn.Module):
    """A tensor is changed through a view of it."""

    def __init__(self, channels=CHANNELS // 2):
        super().__init__()
        self.channels = channels
        self.conv, self.last = nn.Conv2d(CHANNELS, CHANNELS, 1), nn.Conv2d(CHANNELS, CHANNELS, 1)

    def forward(self, x):
        x = self.conv(x)
        part = x[:, : self.channels]
        y = self.last(x)
        part.add_(1)
        return self.last(x) + y


class Deciding(nn.Module):
    """Which way it goes depends on the numbers."""

    def __init__(self):
        super().__init__()
        self.conv, self.other = nn.Conv2d(CHANNELS, CHANNELS, 1), nn.Conv2d(CHANNELS, CHANNELS, 1)

    def forward(self, x):
        y = self.conv(x)
        return y if float(y.detach().abs().sum()) >= 0 else self.other(y)


class Remembering(nn.Module):
    """A tensor is left in an attribute and read by a later part."""

    def __init__(self):
        super().__init__()
        self.conv, self.last = nn.Conv2d(CHANNELS, CHANNELS, 1), nn.Conv2d(CHANNELS, CHANNELS, 1)
        self.seen = None

    def forward(self, x):
        self.seen = self.conv(x)
        return self.last(self.seen.relu()) + self.seen


PARTS = [
    ConvNormRelu,
    Residual,
    Branches,
    Dictionary,
    AsObject,
    Tokens,
    TokensFirst,
    Asleep,
    Overwriting,
    ThroughAView,
    Deciding,
    Remembering,
]


class RandomModel(nn.Module):
    """A chain of parts drawn by a seed; some parts come twice, and some results are read again at the end."""

    def __init__(self, seed):
        super().__init__()
        drawn = random.Random(seed)
        self.stem = nn.Conv2d(3, CHANNELS, 3, stride=2, padding=1)
        parts = [kind() for kind in drawn.choices(PARTS, k=4)]
        self.parts = nn.ModuleList([*parts, drawn.choice(parts)])
        self.skip = drawn.randrange(4)
        self.head = nn.Linear(CHANNELS, 5)

    def forward(self, x):
        x = self.stem(x)
        kept = x
        for at, part in enumerate(self.parts):
            x = part(x)
            if at == self.skip:
                kept = x.clone()
        return self.head((x + kept).mean((2, 3)))
