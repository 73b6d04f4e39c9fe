"""The GPU's kernels against numpy, run step by step by Triton's interpreter: no GPU is needed."""

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

CHECK = """
import numpy as np, torch
from gapscope.recording import gpu_pass
from gapscope.recording.layer_numbers import centered_gram

gpu_pass.CHUNK, gpu_pass.WIDTH = 256, 0.02
for n, p, ties, offset in ((5, 3, 0, 0), (9, 700, 0, 300), (70, 600, 0.4, 0), (12, 513, 0.7, 0)):
    x = torch.randn(n, p, generator=torch.Generator().manual_seed(p)) + offset
    x[torch.rand(n, p, generator=torch.Generator().manual_seed(1)) < ties] = 0
    bracket = gpu_pass._bracket(x)
    mean, extremes, counts, inside, num_inside = gpu_pass._values(x, bracket)
    np.testing.assert_allclose((x[0] + mean).numpy(), x.mean(0).numpy(), atol=1e-5 * (1 + offset))
    assert (extremes[:, 0].min(), extremes[:, 1].max()) == (x.min(), x.max())
    wanted = [(x < bracket[0]).sum(), (x == bracket[0]).sum(), (x == bracket[1]).sum()]
    assert counts.sum(0).tolist() == [int(number) for number in wanted]
    assert num_inside.sum() == ((x > bracket[0]) & (x < bracket[1])).sum()
    median, found = gpu_pass._median(n * p, bracket, counts.sum(0), inside, num_inside)
    assert not found or median == np.median(x.double().numpy()), (float(median), np.median(x.numpy()))
    assert found or p == 3, "the bracket holds the median of many values"
    wanted = centered_gram(x)[0]
    np.testing.assert_allclose(gpu_pass._gram(x, mean).numpy(), wanted, atol=1e-6 * np.abs(wanted).max())
print("checked")
"""


@pytest.mark.skipif(find_spec("triton") is None, reason="Triton comes with torch on Linux x86_64 alone")
@pytest.mark.slow
def test_the_kernels_give_numpys_sums_counts_and_medians():
    environment = os.environ | {"TRITON_INTERPRET": "1", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-W", "ignore", "-c", CHECK]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=Path(__file__).parents[1])
    assert done.stdout.strip() == "checked", done.stderr[-3000:]
