"""What is remembered, and what must not be."""

from dataclasses import dataclass

import pytest

from fanin.nn.activations import ReLU, Tanh
from fanin.theory.memoize import memoize


class Inheriting(ReLU):
    """Its equality, inherited, does not compare what it adds."""

    def __init__(self, slope):
        object.__setattr__(self, "slope", slope)


class Unhashable:
    __hash__ = None


@dataclass(frozen=True)
class Holder:
    parts: tuple


@pytest.fixture
def count():
    """How often a memoized function is called for two calls with these arguments."""

    def of(first, second):
        calls = []
        function = memoize(calls.append)
        function(first)
        function(second)
        return len(calls)

    return of


@pytest.mark.parametrize("value", [1, 2.5, "relu", None, True, Tanh(), (), ("relu", ReLU())])
def test_equal_values_are_remembered(count, value):
    assert count(value, value) == 1
    assert count((("name", value),), (("name", value),)) == 1
    assert count(Holder((value,)), Holder((value,))) == 1


@pytest.mark.parametrize("value", [Inheriting(0.1), Unhashable(), [1]])
def test_a_value_without_an_equality_of_its_own_is_not(count, value):
    assert count(value, value) == 2
    assert count((("name", value),), (("name", value),)) == 2
    assert count(Holder((value,)), Holder((value,))) == 2


def test_different_elements_are_told_apart(count):
    assert count((("a", ReLU()),), (("a", Tanh()),)) == 2
    assert count((("a", ReLU()),), (("b", ReLU()),)) == 2
