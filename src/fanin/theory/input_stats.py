"""What theory needs to know of the inputs."""

from dataclasses import dataclass

from torch import Tensor

from fanin.measure import statistics

_PAIRED = 1000  # inputs of which all pairs are looked at


@dataclass(frozen=True)
class Inputs:
    """What theory needs to know of a batch of inputs, (count, features).

    second_moment: of the entries. cosine, scatter: mean and variance of the cosines of pairs of
    different inputs; 0 for a single one. share: that of each input's pair with itself in the sum
    of |x|^2 |y|^2 over all pairs; 1 / count where all inputs are of one length.
    """

    count: int
    features: int
    second_moment: float
    cosine: float
    scatter: float
    share: float


def describe(x: Tensor) -> Inputs:
    """Inputs (batch, features) as theory sees them."""
    count, features = x.shape
    x = x.detach().cpu().double()
    largest = float(x.abs().max())
    if largest == 0:
        return Inputs(count, features, 0.0, cosine=0.0, scatter=0.0, share=1.0)
    x /= largest
    squares = x.square().sum(-1)
    total = float(squares.sum())
    share = float(squares.square().sum()) / total**2
    few = x[:_PAIRED]
    products = few.mT @ few if features < len(few) else few @ few.mT  # of one sum of squares
    few_squares = squares[:_PAIRED]
    own = float(few_squares.square().sum())
    others = float(few_squares.sum()) ** 2 - own
    of_pairs = (float(products.square().sum()) - own) / others if others > 0 else 0.0
    cosine = float(statistics.correlation(few[None, None]).nan_to_num())
    return Inputs(
        count,
        features,
        second_moment=total / x.numel() * largest**2,
        cosine=cosine,
        scatter=max(of_pairs - cosine**2, 0.0),
        share=share,
    )
