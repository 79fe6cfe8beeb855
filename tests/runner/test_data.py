"""Data: the same batch for the same seed, and one clear line for a file that is no table."""

import os
from pathlib import Path

import numpy as np
import pytest
import torch
from hydra.utils import instantiate
from omegaconf import OmegaConf
from sklearn.datasets import load_digits

from fanin.nn.losses import CrossEntropy
from fanin.runner.data import Digits, File, Gaussian

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
    with pytest.raises(ValueError, match=r"^batch_size=1798: .*1797"):
        Digits().load(1798)


# A user's own file


@pytest.fixture
def file(tmp_path):
    """Write a file, from text, bytes or arrays, and give the data that reads it."""

    def write(content, name=None, **settings):
        if isinstance(content, dict):
            path = tmp_path / (name or "data.npz")
            np.savez(path, **content)
        else:
            path = tmp_path / (name or "data.csv")
            path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return File(path=str(path), **settings)

    return write


def sorted_rows(batch):
    inputs, targets, _ = batch
    return sorted(
        (*row, target) for row, target in zip(inputs.tolist(), targets.tolist(), strict=True)
    )


ROWS = [(1.0, 2.0, 10.0), (3.0, 4.0, 20.0), (5.0, -6.5, 30.0)]


@pytest.mark.parametrize(
    "text",
    [
        "1,2,10\n3,4,20\n5,-6.5,30\n",
        "1,2,10\n3,4,20\n5,-6.5,30",
        "1,2,10\r\n3,4,20\r\n5,-6.5,30\r\n",
        "\n1,2,10\n\n3,4,20\n5,-6.5,30\n\n",
        "a,b,target\n1,2,10\n3,4,20\n5,-6.5,30\n",
        '"first","second","target"\n"1","2","10"\n3,4,20\n5,-6.5,30\n',
        "\ufeffa,b,target\n1,2,10\n3,4,20\n5,-6.5,30\n",
        "1e0, 2.0 ,+10\n3,4,20\n5,-65e-1,30\n",
    ],
    ids=["plain", "no last newline", "crlf", "blank lines", "header", "quoted", "bom", "notations"],
)
def test_csv(file, text):
    batch = file(text).load(3)
    assert sorted_rows(batch) == ROWS
    assert batch[0].shape == (3, 2)
    assert batch[1].shape == (3,)
    assert all(tensor.is_floating_point() for tensor in batch)


def test_csv_with_classes_in_its_last_column(file):
    _, targets, _ = file("0.5,0\n1.5,2\n2.5,1\n").load(3)
    assert sorted(CrossEntropy().prepare(targets, torch.float32).tolist()) == [0, 1, 2]


@pytest.mark.parametrize("x_type", [np.float64, np.float32, np.float16, np.int32, np.uint8, bool])
@pytest.mark.parametrize("y_type", [np.float64, np.float32, np.int64, np.int16, np.uint8, bool])
def test_npz(file, x_type, y_type):
    x, y = np.array([[0, 1], [1, 0], [1, 1]], x_type), np.array([0, 1, 1], y_type)
    batch = file({"x": x, "y": y}).load(3)
    assert sorted_rows(batch) == [(0, 1, 0), (1, 0, 1), (1, 1, 1)]
    assert batch[0].dtype in (torch.float32, torch.float64)
    assert CrossEntropy().prepare(batch[1], torch.float32).sum() == 2


def test_npz_with_several_targets(file):
    x, y = np.arange(12.0).reshape(4, 3), np.arange(8.0).reshape(4, 2)
    inputs, targets, _ = file({"x": x, "y": y, "more": x}).load(4)
    assert targets.shape == (4, 2)
    assert (inputs[:, 0] / 3).tolist() == (targets[:, 0] / 2).tolist()


def test_npz_of_another_machines_byte_order(file):
    x, y = np.array([[1.0], [2.0]], ">f8"), np.array([10, 20], ">i8")
    assert sorted_rows(file({"x": x, "y": y}).load(2)) == [(1, 10), (2, 20)]


def test_a_batch_is_rows_of_the_file_none_twice(file):
    table = "".join(f"{n},{2 * n}\n" for n in range(100))
    inputs, targets, _ = file(table, seed=1).load(30)
    assert len(inputs.unique()) == 30
    assert torch.equal(2 * inputs[:, 0], targets)
    assert_same((inputs, targets), file(table, seed=1).load(30)[:2])
    assert not torch.equal(inputs, file(table, seed=2).load(30)[0])


def test_a_batch_can_be_changed_without_changing_the_file(file):
    data = file("1,2\n3,4\n")
    data.load(2)[0].zero_()
    assert sorted_rows(data.load(2)) == [(1, 2), (3, 4)]


def test_a_file_that_changed_is_read_again(file):
    data = file("1,2\n3,4\n")
    data.load(2)
    data = file("5,6\n7,8\n")
    os.utime(data.path, (1, 1))
    assert sorted_rows(data.load(2)) == [(5, 6), (7, 8)]


def test_relative_and_home_paths(file, tmp_path, monkeypatch):
    file("1,2\n", name="mine.csv")
    monkeypatch.chdir(tmp_path)
    assert sorted_rows(File(path="mine.csv").load(1)) == [(1, 2)]
    monkeypatch.setenv("HOME", str(tmp_path))
    assert sorted_rows(File(path="~/mine.csv").load(1)) == [(1, 2)]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("1,2\n3,four\n", r"line 2 has 'four'"),
        ("a,b\n1,2\n3,x\n", r"line 3 has 'x'"),
        ("1,b\n3,4\n", r"line 1 has 'b'"),
        ("a,b\nc,d\n1,2\n", r"line 2 has 'c'"),
        ("1,2\n3,\n", r"line 2 has ''"),
        ("1,2\n\n3,4,5\n", r"line 3 has 3 columns, not 2"),
        ("a,b,c\n1,2,3\n4,5\n", r"line 3 has 2 columns, not 3"),
        ("1;2\n3;4\n", r"line 2 has '3;4'"),
        ("1\n2\n", "two columns"),
        ("", "two columns"),
        ("\n\n", "two columns"),
        ("a,b\n", "two columns"),
        ("1,nan\n2,3\n", "nan or inf"),
        ("1,2\n-inf,3\n", "nan or inf"),
        ("1,2\n1e999,3\n", "nan or inf"),
        (b"1,2\n\xff\xfe,3\n", "UTF-8"),
        ("1,2\n" + "9" * 200_000 + "x,3\n", "path="),
    ],
    ids=lambda value: repr(value)[:30],
)
def test_a_csv_that_is_no_table_of_numbers(file, text, complaint):
    data = file(text)
    with pytest.raises(ValueError, match=complaint) as refusal:
        data.load(1)
    assert str(refusal.value).startswith(f"path={data.path}: ")
    assert len(str(refusal.value).splitlines()) == 1


@pytest.mark.parametrize(
    ("arrays", "complaint"),
    [
        ({"x": np.ones((3, 2))}, "x and y"),
        ({"y": np.ones(3)}, "x and y"),
        ({"a": np.ones((3, 2)), "b": np.ones(3)}, "x and y"),
        ({"x": np.ones(3), "y": np.ones(3)}, r"x is \(3,\)"),
        ({"x": np.ones((3, 2, 2)), "y": np.ones(3)}, r"x is \(3, 2, 2\)"),
        ({"x": np.ones((3, 2)), "y": np.ones(4)}, r"y is \(4,\)"),
        ({"x": np.ones((3, 2)), "y": np.ones((3, 1, 1))}, r"y is \(3, 1, 1\)"),
        ({"x": np.ones((3, 2)), "y": np.float64(1)}, r"y is \(\)"),
        ({"x": np.ones((0, 2)), "y": np.ones(0)}, r"x is \(0, 2\)"),
        ({"x": np.ones((3, 0)), "y": np.ones(3)}, r"x is \(3, 0\)"),
        ({"x": np.ones((3, 2)), "y": np.ones((3, 0))}, r"y is \(3, 0\)"),
        ({"x": np.full((3, 2), np.nan), "y": np.ones(3)}, "nan or inf"),
        ({"x": np.ones((3, 2)), "y": np.array([1, np.inf, 2])}, "nan or inf"),
        ({"x": np.ones((3, 2), complex), "y": np.ones(3)}, "use numbers"),
        ({"x": np.ones((3, 2)), "y": np.array(["a", "b", "c"])}, "use numbers"),
        ({"x": np.ones((3, 2)), "y": np.array([1, "b", None], object)}, "readable"),
    ],
    ids=lambda value: None if isinstance(value, dict) else value,
)
def test_an_npz_that_is_no_table_of_numbers(file, arrays, complaint):
    data = file(arrays)
    with pytest.raises(ValueError, match=complaint) as refusal:
        data.load(1)
    assert str(refusal.value).startswith(f"path={data.path}: ")
    assert len(str(refusal.value).splitlines()) == 1


@pytest.mark.filterwarnings("ignore::ResourceWarning")  # NumPy leaves a broken zip open
@pytest.mark.parametrize("content", [b"", b"1,2\n3,4\n", b"PK\x03\x04 and no more"], ids=repr)
def test_an_npz_that_is_none(file, content):
    with pytest.raises(ValueError, match=r"^path=.*: it is not a readable \.npz file"):
        file(content, name="data.npz").load(1)


def test_a_single_array_is_no_npz(tmp_path):
    with (tmp_path / "data.npz").open("wb") as opened:
        np.save(opened, np.ones((3, 2)))
    with pytest.raises(ValueError, match=r"^path=.*: it is not a readable \.npz file"):
        File(path=str(tmp_path / "data.npz")).load(1)


@pytest.mark.parametrize("name", ["data.txt", "data", "data.npy", "data.parquet"])
def test_another_kind_of_file(file, name):
    with pytest.raises(ValueError, match=r"^path=.*: use a \.npz or a \.csv file"):
        file("1,2\n", name=name).load(1)


def test_a_missing_file(tmp_path):
    for path in (tmp_path / "none.csv", tmp_path):
        with pytest.raises(ValueError, match=r"^path=.*: there is no such file"):
            File(path=str(path)).load(1)


def test_more_rows_than_there_are(file):
    data = file("1,2\n3,4\n")
    assert len(data.load(2)[0]) == 2
    with pytest.raises(ValueError, match=r"^batch_size=3: .*2 rows"):
        data.load(3)


# Settings


@pytest.mark.parametrize("make", [Gaussian, Digits, lambda seed: File(path="x.csv", seed=seed)])
def test_a_negative_seed_is_refused(make):
    with pytest.raises(ValueError, match=r"^seed=-1: "):
        make(seed=-1)


@pytest.mark.parametrize("features", [0, -1])
def test_no_features_are_refused(features):
    with pytest.raises(ValueError, match=rf"^features={features}: "):
        Gaussian(features=features)


def test_the_files_of_conf_make_them(file):
    def make(name, **settings):
        config = OmegaConf.load(CONF / f"{name}.yaml")
        config.pop("defaults", None)
        return instantiate(config, **settings)

    assert make("gaussian") == Gaussian(features=100, seed=0)
    assert make("digits") == Digits(seed=0)
    assert make("file", path="a.csv") == File(path="a.csv", seed=0)
