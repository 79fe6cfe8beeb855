"""Data: the same batch for the same seed; the sets that scikit-learn ships."""

from pathlib import Path

import numpy as np
import pytest
import torch
from hydra.utils import instantiate
from omegaconf import OmegaConf
from sklearn.datasets import load_digits, load_wine

from fanin.nn.losses import CrossEntropy
from fanin.runner.data import BreastCancer, Diabetes, Digits, File, Gaussian, Wine
from fanin.runner.data_table import Batch, as_classes

CONF = Path(__file__).parents[2] / "conf" / "data"


def assert_same(one, other):
    for a, b in zip(one, other, strict=True):
        assert torch.equal(a, b)


def correlation(x, y):
    return np.corrcoef(x.flatten().numpy(), y.flatten().numpy())[0, 1]


# Gaussian


@pytest.mark.parametrize(("batch", "features"), [(200, 100), (1, 1), (7, 3)])
def test_gaussian_has_its_shape(batch, features):
    inputs, targets, _ = Gaussian(features=features).load(batch)
    assert (inputs.shape, inputs.dtype) == ((batch, features), torch.float32)
    assert (targets.shape, targets.dtype) == ((batch,), torch.float32)


def test_gaussian_is_standard_normal():
    inputs, targets, _ = Gaussian(features=100).load(20_000)
    for x in (inputs, targets):
        assert abs(x.mean()) < 5 / x.numel() ** 0.5
        assert abs(x.var() - 1) < 5 * (2 / x.numel()) ** 0.5
    assert abs(inputs.abs().mean() - (2 / torch.pi) ** 0.5) < 5 / inputs.numel() ** 0.5


def test_gaussian_repeats_by_seed_alone():
    np.random.seed(1)
    torch.manual_seed(1)
    one = Gaussian(seed=3).load(50)
    np.random.seed(2)
    torch.manual_seed(2)
    assert_same(one, Gaussian(seed=3).load(50))
    assert not torch.equal(one[0], Gaussian(seed=4).load(50)[0])
    assert not torch.equal(one[1], Gaussian(seed=4).load(50)[1])


@pytest.mark.parametrize("seed", [0, 1, 7])
def test_gaussian_repeats_no_networks_weights(seed):
    inputs, targets, _ = Gaussian(seed=seed).load(200)
    weights = torch.randn(200, 100, generator=torch.Generator().manual_seed(seed))
    assert abs(correlation(inputs, weights)) < 5 / 20_000**0.5
    assert abs(correlation(targets, weights[:2])) < 5 / 200**0.5
    assert abs(correlation(targets, inputs[:2])) < 5 / 200**0.5


def test_a_batch_can_be_changed_without_changing_the_data():
    inputs, targets, _ = Gaussian().load(10)
    inputs.zero_()
    targets.zero_()
    assert Gaussian().load(10)[0].all()


# Digits


def test_digits_are_standardised_over_the_whole_set():
    inputs, targets, _ = Digits().load(1797)
    assert inputs.shape == (1797, 64)
    assert inputs.mean().item() == pytest.approx(0, abs=1e-12)
    assert inputs.std(correction=0).item() == pytest.approx(1, rel=1e-12)
    assert sorted(targets.unique().tolist()) == list(range(10))


def test_digits_keep_their_pixels_and_their_labels():
    """Each row is an image of the set, up to one scale and shift, with its own label."""
    images, digits = load_digits(return_X_y=True)
    inputs, targets, _ = Digits(seed=5).load(300)
    pixels = (inputs.numpy() * images.std() + images.mean()).round().astype(int)
    labels = {tuple(image): digit for image, digit in zip(images.astype(int), digits, strict=True)}
    assert len(labels) == 1797
    assert [labels[tuple(row)] for row in pixels] == targets.tolist()
    assert len({tuple(row) for row in pixels}) == 300


def test_digits_are_classes():
    _, targets, _ = Digits().load(200)
    assert not targets.is_floating_point()
    assert CrossEntropy().outputs(CrossEntropy().prepare(targets, torch.float32)) == 10


def test_digits_repeat_by_seed():
    assert_same(Digits(seed=3).load(50), Digits(seed=3).load(50))
    assert not torch.equal(Digits(seed=3).load(50)[0], Digits(seed=4).load(50)[0])


def test_digits_are_1797():
    inputs, targets, _ = Digits().load(1798)
    assert (len(inputs), len(targets)) == (1797, 1797)


# The other sets of scikit-learn


@pytest.mark.parametrize(
    ("data", "shape", "classes"),
    [(Wine(), (178, 13), 3), (BreastCancer(), (569, 30), 2), (Diabetes(), (442, 10), 0)],
)
def test_tables_of_measurements(data, shape, classes):
    batch = data.load(1000)
    table = data.table()
    assert batch.inputs.shape == shape
    assert len(table.features) == shape[1]
    assert batch.inputs.mean(0).abs().max() < 1e-9
    assert (batch.inputs.std(0, correction=0) - 1).abs().max() < 1e-9
    assert len(table.classes) == classes
    if classes:
        new, names = as_classes(batch, table.classes)
        assert (names, CrossEntropy().outputs(new.targets)) == (table.classes, classes)
    else:
        assert batch.targets.mean().item() == pytest.approx(0, abs=1e-12)
        assert batch.targets.std(correction=0).item() == pytest.approx(1)


def test_measurements_keep_their_rows_and_targets():
    read = load_wine()
    inputs, targets, _ = Wine(seed=3).load(50)
    raw = (inputs.numpy() * read.data.std(0) + read.data.mean(0)).round(6)
    labels = {tuple(row): c for row, c in zip(read.data.round(6), read.target, strict=True)}
    assert [labels[tuple(row)] for row in raw] == targets.tolist()


# Classes


def batch_of(all_targets, targets=None):
    all_targets = torch.as_tensor(all_targets)
    targets = all_targets if targets is None else torch.as_tensor(targets)
    return Batch(torch.zeros(len(targets), 1), targets, all_targets)


@pytest.mark.parametrize(
    ("targets", "codes", "names"),
    [
        ([0, 1, 2, 1], [0, 1, 2, 1], ("0", "1", "2")),
        ([1.0, 2.0, 3.0], [0, 1, 2], ("1", "2", "3")),
        ([3, 8, 5, 3], [0, 2, 1, 0], ("3", "5", "8")),
        ([-1.0, 1.0, -1.0], [0, 1, 0], ("-1", "1")),
        ([True, False], [1, 0], ("0", "1")),
        ([[5.0], [7.0]], [0, 1], ("5", "7")),
        ([[0, 0, 1], [1, 0, 0], [0, 1, 0]], [2, 0, 1], ("0", "1", "2")),
    ],
)
def test_targets_become_classes(targets, codes, names):
    batch, told = as_classes(batch_of(targets))
    assert batch.targets.tolist() == batch.all_targets.tolist() == codes
    assert told == names
    assert batch.targets.dtype == torch.int64


def test_classes_are_those_of_the_whole_set():
    batch, names = as_classes(
        batch_of([1, 1, 2, 5], targets=[5, 1]), ("a", "b", "c", "d", "e", "f")
    )
    assert batch.targets.tolist() == [2, 0]
    assert names == ("b", "c", "f")


@pytest.mark.parametrize(
    ("targets", "complaint"),
    [
        ([0.5, 1.0], r"numbers such as 0\.5; use loss=mse"),
        ([float("nan"), 1.0], "numbers such as nan"),
        (range(10_000), r"10,000 different values in 10,000 rows are too many; use loss=mse"),
        (range(60), "60 different values in 60 rows"),
        ([[0.5, 0.5], [1, 0]], "or one-hot targets, not 2 numbers a row; use loss=mse"),
        ([[1, 1], [1, 0]], "or one-hot"),
        ([4, 4, 4], "two classes or more"),
    ],
    ids=str,
)
def test_targets_that_are_not_classes(targets, complaint):
    with pytest.raises(ValueError, match=complaint):
        as_classes(batch_of(targets))


# Settings


@pytest.mark.parametrize(
    "make", [Gaussian, Digits, Wine, lambda seed: File(path="x.csv", seed=seed)]
)
def test_a_negative_seed_is_refused(make):
    with pytest.raises(ValueError, match=r"^seed=-1: "):
        make(seed=-1)


@pytest.mark.parametrize("features", [0, -1])
def test_no_features_are_refused(features):
    with pytest.raises(ValueError, match=rf"^features={features}: "):
        Gaussian(features=features)


def test_the_files_of_conf_make_them():
    def make(name, **settings):
        config = OmegaConf.load(CONF / f"{name}.yaml")
        config.pop("defaults", None)
        return instantiate(config, **settings)

    assert make("gaussian") == Gaussian(features=100, seed=0)
    assert make("digits") == Digits(seed=0)
    assert make("wine") == Wine(seed=0)
    assert make("breast_cancer") == BreastCancer(seed=0)
    assert make("diabetes") == Diabetes(seed=0)
    assert make("file", path="a.csv") == File(path="a.csv", seed=0)
