"""Triton kernels for a layer's features on an NVIDIA GPU: each value is read twice, and nothing as large is written."""

import triton
import triton.language as tl


@triton.jit
def values_kernel(
    features, bracket, mean, extremes, counts, inside, num_inside, room, n, p, stride,
    IMAGES: tl.constexpr, FEATURES: tl.constexpr, REGIONS: tl.constexpr,
):  # fmt: skip
    """Column means, extremes, and what the median needs, for FEATURES columns of the features (n, p).

    Writes mean (p,) of x - x[0]; extremes (programs, 2); counts (programs, 3): values below the bracket, at its low
    end, at its high end; the values inside to `inside` (REGIONS, room), their numbers to num_inside (REGIONS,).
    """
    program = tl.program_id(0)
    columns = program * FEATURES + tl.arange(0, FEATURES)
    real = columns < p
    first = tl.load(features + columns, mask=real, other=0.0)
    low, high = tl.load(bracket), tl.load(bracket + 1)
    total = tl.zeros([FEATURES], tl.float32)
    least = tl.full([FEATURES], float("inf"), tl.float32)
    most = tl.full([FEATURES], float("-inf"), tl.float32)
    below = tl.zeros([FEATURES], tl.int32)
    at_low = tl.zeros([FEATURES], tl.int32)
    at_high = tl.zeros([FEATURES], tl.int32)
    for start in range(0, n, IMAGES):
        rows = start + tl.arange(0, IMAGES)
        ok = (rows[:, None] < n) & real[None, :]
        x = tl.load(features + rows[:, None].to(tl.int64) * stride + columns[None, :], mask=ok, other=0.0)
        total += tl.sum(tl.where(ok, x - first[None, :], 0.0), 0)
        least = tl.minimum(least, tl.min(tl.where(ok, x, float("inf")), 0))
        most = tl.maximum(most, tl.max(tl.where(ok, x, float("-inf")), 0))
        below += tl.sum(((x < low) & ok).to(tl.int32), 0)
        at_low += tl.sum(((x == low) & ok).to(tl.int32), 0)
        at_high += tl.sum(((x == high) & ok).to(tl.int32), 0)
        region = (program * 37 + start // IMAGES * 61) % REGIONS  # neighbours in place or time go to different regions
        chosen = (x > low) & (x < high) & ok
        places = tl.atomic_add(num_inside + region + tl.zeros([IMAGES, FEATURES], tl.int32), 1, mask=chosen)
        tl.store(inside + region.to(tl.int64) * room + places, x, mask=chosen & (places < room))
    tl.store(mean + columns, total / n, mask=real)
    tl.store(extremes + 2 * program, tl.min(least, 0))
    tl.store(extremes + 2 * program + 1, tl.max(most, 0))
    tl.store(counts + 3 * program, tl.sum(below, 0))
    tl.store(counts + 3 * program + 1, tl.sum(at_low, 0))
    tl.store(counts + 3 * program + 2, tl.sum(at_high, 0))


@triton.jit
def gram_kernel(
    features, mean, pair_rows, pair_columns, out, first_chunk, n, p, stride,
    CHUNK: tl.constexpr, TILE: tl.constexpr, STEP: tl.constexpr, PRECISION: tl.constexpr,
):  # fmt: skip
    """One tile of X X^T over one chunk of the centred features, on or below the diagonal; out is (chunks, n, n).

    Values are centred as they are read: x - x[0], then minus the mean of that. PRECISION splits each float32 number
    into two or three shorter ones, whose products tensor cores add in float32.
    """
    pair, chunk = tl.program_id(0), tl.program_id(1)
    rows = tl.load(pair_rows + pair) * TILE + tl.arange(0, TILE)
    others = tl.load(pair_columns + pair) * TILE + tl.arange(0, TILE)
    total = tl.zeros([TILE, TILE], tl.float32)
    for start in range(0, CHUNK, STEP):
        columns = (first_chunk + chunk) * CHUNK + start + tl.arange(0, STEP)
        real = columns < p
        shift = tl.load(features + columns, mask=real, other=0.0)
        average = tl.load(mean + columns, mask=real, other=0.0)
        ok = (rows[:, None] < n) & real[None, :]
        a = tl.load(features + rows[:, None].to(tl.int64) * stride + columns[None, :], mask=ok, other=0.0)
        a = tl.where(ok, (a - shift[None, :]) - average[None, :], 0.0)
        ok = (others[:, None] < n) & real[None, :]
        b = tl.load(features + others[:, None].to(tl.int64) * stride + columns[None, :], mask=ok, other=0.0)
        b = tl.where(ok, (b - shift[None, :]) - average[None, :], 0.0)
        total = tl.dot(a, tl.trans(b), total, input_precision=PRECISION)
    place = out + chunk.to(tl.int64) * n * n + rows[:, None] * n + others[None, :]
    tl.store(place, total, mask=(rows[:, None] < n) & (others[None, :] < n))
