"""Joint events: exact chances, finite logarithms, and what labels tell about them."""

import numpy as np
import pytest
import torch
from torch import Tensor

from paretorank.relations import Dependencies, JointEvents

# click <- like, click <- play, (like, play) <- buy; the task axis is shuffled; 4 is no binary task.
BUY, CLICK, LIKE, PLAY, WATCH = range(5)
DIAMOND = Dependencies(
    parents=((LIKE, PLAY), (), (CLICK,), (CLICK,), (CLICK,)),
    is_binary=(True, True, True, True, False),
    is_conditional=(True, False, True, False, False),
)
PATHS = {BUY: (CLICK, LIKE, PLAY, BUY), LIKE: (CLICK, LIKE), PLAY: (CLICK, PLAY)}
EVENTS = JointEvents(DIAMOND)


def logits(n_rows: int = 6, spread: float = 3.0) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    return spread * torch.randn(n_rows, 5, generator=generator, dtype=torch.float64)


def chance(z: Tensor, task: int) -> np.ndarray:
    sigmoid = 1 / (1 + np.exp(-z.numpy()))
    return np.asarray(sigmoid[:, PATHS[task]].prod(axis=1))


def test_every_binary_task_with_ancestors_has_an_event() -> None:
    assert EVENTS.tasks.tolist() == [BUY, LIKE, PLAY]
    assert len(JointEvents(Dependencies(((), ()), (True, True), (False, False)))) == 0


def test_chances_are_those_of_the_product_over_all_ancestors_each_once() -> None:
    z = logits()
    for at, task in enumerate(PATHS):
        p = chance(z, task)
        np.testing.assert_allclose(EVENTS.log_chance(z)[:, at], np.log(p), rtol=1e-12)
        np.testing.assert_allclose(EVENTS.log_complement(z)[:, at], np.log1p(-p), rtol=1e-9)
        above = p * (1 + np.exp(-z.numpy()[:, task]))
        np.testing.assert_allclose(EVENTS.log_chance_above(z)[:, at], np.log(above), rtol=1e-12)


def test_the_joint_chance_is_at_most_that_of_any_member() -> None:
    z = logits(50)
    p = EVENTS.log_chance(z).exp()
    for at, path in enumerate(PATHS.values()):
        assert (p[:, at] <= z[:, path].sigmoid().min(dim=1).values + 1e-15).all()
        assert (p[:, at] >= 0).all()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("happened", [True, False])
def test_losses_and_gradients_are_finite_for_extreme_logits(
    dtype: torch.dtype, happened: bool
) -> None:
    signs = torch.cartesian_prod(*[torch.tensor([-1.0, 0.0, 1.0])] * 5).to(dtype)
    z = (1e3 * signs).requires_grad_()
    losses = EVENTS.losses(z, torch.full((len(z), 3), happened))
    losses.sum().backward()
    assert losses.isfinite().all()
    assert (losses >= 0).all()
    assert z.grad is not None
    assert z.grad.isfinite().all()


def test_confident_mistakes_keep_their_gradient() -> None:
    z = torch.full((1, 5), 1e3, dtype=torch.float64, requires_grad=True)
    EVENTS.losses(z, torch.zeros(1, 3, dtype=torch.bool))[:, 1].sum().backward()
    assert z.grad is not None
    # 1 - p = 2 exp(-1000): each of the two members is pulled equally
    assert z.grad[0].tolist() == pytest.approx([0, 0.5, 0.5, 0, 0])


@pytest.mark.parametrize("happened", [True, False])
def test_gradients_agree_with_finite_differences(happened: bool) -> None:
    def losses(z: Tensor) -> Tensor:
        return EVENTS.losses(z, torch.full((len(z), 3), happened))

    assert torch.autograd.gradcheck(losses, logits().requires_grad_())


def test_what_labels_tell_about_events() -> None:
    nan = float("nan")
    rows = [  # buy, click, like, play, watch -> known and value of buy, like, play
        ([1, 1, 1, 1, 5], [1, 1, 1]),
        ([nan, 0, nan, 0, 5], [0, 0, 0]),  # no click: nothing after it
        ([nan, 1, 0, nan, 5], [0, 0, None]),  # no like: no purchase, whatever play was
        ([nan, 1, nan, 1, 5], [None, None, 1]),  # nobody knows about like
        ([0, nan, 1, 1, 5], [None, None, None]),  # nobody knows about click
        ([nan, 1, 1, 1, nan], [None, 1, 1]),  # own label missing
        ([1, 0, 1, 1, nan], [0, 0, 0]),  # a contradiction counts as what came first
    ]
    labels = torch.tensor([row for row, _ in rows])
    happened, known = EVENTS.labels(labels.nan_to_num(0.0), ~labels.isnan())
    expected = [wanted for _, wanted in rows]
    assert known.tolist() == [[value is not None for value in row] for row in expected]
    assert happened[known].tolist() == [bool(v) for row in expected for v in row if v is not None]
