"""The statistics of a batch of inputs that theory needs."""

from dataclasses import dataclass

from torch import Tensor

from fanin.measure import reductions

_MAX_PAIRED = 1000  # inputs whose pairs are all used


@dataclass(frozen=True)
class Inputs:
    """Statistics of a batch of inputs, (count, features).

    second_moment: of the entries. cosine, cosine_variance: mean and variance of the cosines of
    pairs of different inputs; 0 for a single input. self_share: the share that pairs of an input
    with itself have in the sum of |x|^2 |y|^2 over all pairs; 1 / count if all inputs have one
    length.
    """

    count: int
    features: int
    second_moment: float
    cosine: float
    cosine_variance: float
    self_share: float


def describe(x: Tensor) -> Inputs:
    """The statistics of inputs (batch, features)."""
    count, features = x.shape
    x = x.detach().cpu().double()
    largest = float(x.abs().max())
    if largest == 0:
        return Inputs(count, features, 0.0, cosine=0.0, cosine_variance=0.0, self_share=1.0)
    x /= largest
    squares = x.square().sum(-1)
    total = float(squares.sum())
    self_share = float(squares.square().sum()) / total**2
    paired = x[:_MAX_PAIRED]
    products = paired.mT @ paired if features < len(paired) else paired @ paired.mT  # equal in norm
    paired_squares = squares[:_MAX_PAIRED]
    own = float(paired_squares.square().sum())
    others = float(paired_squares.sum()) ** 2 - own
    square_cosine = (float(products.square().sum()) - own) / others if others > 0 else 0.0
    cosine = float(reductions.correlation(paired[None, None]).nan_to_num())
    return Inputs(
        count,
        features,
        second_moment=total / x.numel() * largest**2,
        cosine=cosine,
        cosine_variance=max(square_cosine - cosine**2, 0.0),
        self_share=self_share,
    )
