"""What we use of Hydra that is not public, and the Hydra with which it was tried."""

import hydra

from fanin.config.hydra_private import argument_parser


def test_the_hydra_that_it_was_tried_with():
    assert hydra.__version__.startswith("1.3.")


def test_the_parser_knows_hydras_flags_and_a_list_of_overrides():
    parsed, unknown = argument_parser().parse_known_intermixed_args(["a=1", "-m", "b=2"])
    assert parsed.multirun
    assert parsed.overrides == ["a=1", "b=2"]
    assert unknown == []
