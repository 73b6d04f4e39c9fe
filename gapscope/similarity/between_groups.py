r"""Debiased CKA of images that come in groups: pairs of images of one group are left out.

Frames of one scene are alike in any network. Among all pairs of n images they lift what two layers seem to share, and
drawing frames one by one makes intervals far too narrow. The population value that debiased CKA estimates is about
independent images,

    HSIC = E[K_12 L_12] - 2 E[K_12 L_13] + E[K_12] E[L_34],

so here 1, 2, 3 and 4 are images of *different groups*, and each expectation is the plain mean over all such images:

    HSIC = sum_{g(i) != g(j)} K_ij L_ij / N2 - 2 sum_{i, j, k} K_ij L_ik / N3 + sum_{i, j, q, r} K_ij L_qr / N4

with the second and third sum over images of three and of four different groups, N3 and N4 in number. Every term is
unbiased whatever holds within groups, as long as groups are independent draws. With groups of one image it is the
estimator of Song et al. 2012. With Z the members of groups (n, m), K the matrix without its pairs within groups,
k = K 1, A = Z^T K Z and a = A 1 (likewise l, B and b of L), inclusion and exclusion give

    second = k . l - <K Z, L Z>                third = (1 a)(1 b) - 4 a . b + 2 <A, B>

which takes no more than one product per layer. The ratio CKA = HSIC(K, L) / sqrt(HSIC(K, K) HSIC(L, L)) is, as without
groups, not unbiased itself but consistent in the number of groups.
"""

import numpy as np

from gapscope.similarity.gram import Array
from gapscope.similarity.groups import Groups
from gapscope.similarity.layer_view import LayerView, UndefinedError, check_finite

Choices = tuple[Array, Array, Array]
"""How many ordered choices of two, three and four images of different groups there are, for each draw (draws,)."""

NOTHING_LEFT = 1e-12
"""An HSIC this small beside the mean square of its kernel is rounding."""


def hsic(k: Array, l: Array, groups: Groups) -> float:
    """The estimate above of two kernel matrices (n, n), centred or not."""
    return float((dual(k, groups) * l).sum())


def dual(kernel: Array, groups: Groups) -> Array:
    """The matrix (n, n) whose sum of products with any L is `hsic` of the kernel and L; 0 within groups."""
    apart, member = groups.apart, groups.member
    k = kernel * apart
    n2, n3, n4 = (float(count[0]) for count in choices_of(member.sum(0)[None]))
    rows = k.sum(1)
    to_groups = k @ member  # (n, m)
    mates = to_groups @ member.T  # sum over j in i's partner's group
    between = member.T @ to_groups  # A, (m, m)
    of_group = between.sum(1)[groups.number]
    two = k / n2
    three = (rows[:, None] + rows[None, :] - mates - mates.T) / n3
    pairs = between[np.ix_(groups.number, groups.number)]
    four = (rows.sum() - 2 * (of_group[:, None] + of_group[None, :]) + 2 * pairs) / n4
    return (two - three + four) * apart


def unit_pair(kernel: Array, groups: Groups) -> tuple[Array, Array]:
    """A kernel matrix without its pairs within groups and its `dual`, scaled so that CKA is a plain sum of products.

    Raises:
        UndefinedError: If nothing but rounding is left between groups.
    """
    check_finite(LayerView(kernel))
    scaled = kernel / np.abs(kernel).max() * groups.apart
    other = dual(scaled, groups)
    squared = float((scaled * other).sum())
    if squared <= NOTHING_LEFT * float(np.square(scaled).mean()):
        raise UndefinedError("tells no images of different groups apart: nothing but rounding is left of its Gram")
    return scaled / np.sqrt(squared), other / np.sqrt(squared)


class DrawnGroups:
    """One layer's kernel matrix with whole groups drawn w_g times (draws, m): copies of a group are one group.

    `inner` is `hsic`'s three sums with each image counted as often as its group was drawn.
    """

    def __init__(self, kernel: Array, times: Array, groups: Groups, choices: Choices) -> None:
        scale = np.abs(kernel).max()
        self.times, self.groups, self.choices = times, groups, choices
        self.kernel = (kernel / scale if scale else kernel) * groups.apart
        self.to_groups = self.kernel @ groups.member
        self.between = groups.member.T @ self.to_groups
        self.rows = times @ self.to_groups.T  # (draws, n)
        self.of_group = times * (times @ self.between)  # a of each draw (draws, m)

    def inner(self, other: "DrawnGroups") -> Array:
        """(draws,) HSIC of the draw."""
        times, member = self.times, self.groups.member
        products = member.T @ (self.kernel * other.kernel) @ member
        two = ((times @ products) * times).sum(1)
        mates = member.T @ (self.to_groups * other.to_groups)  # (group of i, group of j and k)
        three = ((self.rows * other.rows) @ member * times).sum(1) - ((times @ mates) * times**2).sum(1)
        pairs = ((times**2 @ (self.between * other.between)) * times**2).sum(1)
        totals = self.of_group.sum(1) * other.of_group.sum(1)
        four = totals - 4 * (self.of_group * other.of_group).sum(1) + 2 * pairs
        return two / self.choices[0] - 2 * three / self.choices[1] + four / self.choices[2]


def choices_of(held: Array) -> Choices:
    """N2, N3 and N4 of each draw (draws,), of groups that hold so many images (draws, groups)."""
    n = held.sum(1, keepdims=True)
    others = n - held
    squares = (held**2).sum(1)
    n2 = (held * others).sum(1)
    n3 = (held * (others**2 - (squares[:, None] - held**2))).sum(1)
    of_group = held * others
    n4 = n2**2 - 4 * (of_group**2).sum(1) + 2 * (squares**2 - (held**4).sum(1))
    return n2, n3, n4


def without_each_image(k: Array, l: Array, groups: Groups) -> Array:
    """(n,) CKA of two kernel matrices once without each image; NaN where fewer than four groups or no norm is left."""
    pairs = [(k, l), (k, k), (l, l)]
    cross, own, others = (_inner_without(a * groups.apart, b * groups.apart, groups) for a, b in pairs)
    norms = own * others
    return np.where(norms > 0, cross / np.sqrt(np.where(norms > 0, norms, 1)), np.nan)


def _inner_without(k: Array, l: Array, groups: Groups) -> Array:
    """The three sums of `hsic`, once without each image r (n,): what r took part in is taken off."""
    member, number, n = groups.member, groups.number, groups.n
    rows_k, rows_l, to_k, to_l = k.sum(1), l.sum(1), k @ member, l @ member
    two = (k * l).sum() - 2 * (k * l).sum(1)
    mates = (to_k * to_l).sum(1)  # (n,) of each image i
    its_k, its_l = to_k[:, number], to_l[:, number]  # (i, r): of image i with the group of r
    rest = (rows_k[:, None] - k) * (rows_l[:, None] - l) - mates[:, None]
    rest += its_k * its_l - (its_k - k) * (its_l - l)
    np.fill_diagonal(rest, 0)
    three = rest.sum(0)
    a, b = member.T @ to_k, member.T @ to_l
    sum_a, sum_b, own = a.sum(1), b.sum(1), np.arange(n)
    left_a, left_b = sum_a - to_k, sum_b - to_l  # (r, m)
    left_a[own, number], left_b[own, number] = sum_a[number] - rows_k, sum_b[number] - rows_l
    changed = a[number] * b[number] - (a[number] - to_k) * (b[number] - to_l)
    pairs = (a * b).sum() - 2 * changed.sum(1)
    four = left_a.sum(1) * left_b.sum(1) - 4 * (left_a * left_b).sum(1) + 2 * pairs
    held = groups.member.sum(0) - groups.member  # (r, m) sizes without r
    n2, n3, n4 = choices_of(held)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(n4 > 0, two / n2 - 2 * three / n3 + four / n4, np.nan)
