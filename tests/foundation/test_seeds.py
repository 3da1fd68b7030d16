"""One root seed, many independent generators."""

import numpy as np

from paretorank.foundation.seeds import derive_seed, named_generator


def test_seeds_are_the_same_on_every_machine() -> None:
    assert derive_seed(0) == 4_246_866_556_266_386_882
    assert derive_seed(1, "shuffle", 0) == 2_497_897_489_406_255_370


def test_every_name_matters_and_so_does_where_one_ends() -> None:
    seeds = {
        derive_seed(0, "a", "b"),
        derive_seed(0, "ab"),
        derive_seed(0, "b", "a"),
        derive_seed(0, "a"),
        derive_seed(1, "a"),
        derive_seed(0, "a", 1),
        derive_seed(0, "a", 11),
        derive_seed(0, "a1", 1),
    }
    assert len(seeds) == 8


def test_seeds_fit_a_signed_64_bit_integer() -> None:
    assert all(0 <= derive_seed(0, at) < 2**63 for at in range(1000))


def test_generators_repeat_and_differ_by_name() -> None:
    draws = [named_generator(3, name).random(100) for name in ("rows", "rows", "blocks")]
    np.testing.assert_array_equal(draws[0], draws[1])
    assert abs(float(np.corrcoef(draws[0], draws[2])[0, 1])) < 0.3
