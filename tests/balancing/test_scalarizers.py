"""TorchJD's scalarizers, with their pinned values, beside TorchJD itself."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from pydantic import TypeAdapter
from torch import Tensor
from torchjd import scalarization

from paretorank.balancing import (
    BalancerConfig,
    ConstantConfig,
    COSMOSConfig,
    DWAConfig,
    FAMOConfig,
    GeometricMeanConfig,
    IMTLLConfig,
    LossBalancer,
    MeanConfig,
    PBIConfig,
    RandomConfig,
    STCHConfig,
    SumConfig,
    UWConfig,
)
from paretorank.foundation.errors import TrainingError

OURS = {
    "COSMOS": "cosmos",
    "Constant": "constant",
    "DWA": "dwa",
    "FAMO": "famo",
    "GeometricMean": "geometric_mean",
    "IMTLL": "imtl_l",
    "Mean": "mean",
    "PBI": "pbi",
    "Random": "random",
    "STCH": "stch",
    "Sum": "sum",
    "UW": "uw",
}
VALUES: dict[str, Any] = json.loads(
    (Path(__file__).parents[1] / "values" / "balancing.json").read_text()
)
NAMES = ("a", "b", "c")
NAN = float("nan")


def double(*values: float) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)


def build(config: BalancerConfig, *, seed: int = 0) -> LossBalancer:
    balancer = config.build(
        task_names=NAMES,
        balance_factors=torch.ones(3),
        generator=torch.Generator().manual_seed(seed),
    )
    return balancer.double()


def total_and_weights(balancer: LossBalancer, *values: float) -> tuple[float, list[float]]:
    losses = double(*values).requires_grad_()
    total = balancer(losses)
    total.backward()
    assert losses.grad is not None
    return float(total.detach()), losses.grad.tolist()


def test_every_scalarizer_that_torchjd_offers_has_a_name_here() -> None:
    offered = {
        name
        for name in scalarization.__all__
        if issubclass(getattr(scalarization, name), scalarization.Scalarizer)
    } - {"Scalarizer"}
    assert offered == set(OURS)
    assert set(OURS.values()) <= set(
        TypeAdapter(BalancerConfig).json_schema()["discriminator"]["mapping"]
    )


def test_the_geometric_mean_has_its_pinned_value_and_weights() -> None:
    pinned = VALUES["gls"]
    total, weights = total_and_weights(build(GeometricMeanConfig()), *VALUES["losses"])
    assert total == pytest.approx(pinned["value"], abs=1e-9)
    assert weights == pytest.approx(pinned["grad"], abs=1e-9)


@pytest.mark.parametrize("config", [GeometricMeanConfig(), FAMOConfig()], ids=repr)
def test_logarithms_of_losses_refuse_negative_losses(config: BalancerConfig) -> None:
    with pytest.raises(TrainingError, match=r"above 0, got -0\.5 for task 'b'"):
        build(config)(double(1.0, -0.5, NAN))


def test_preferences_have_their_pinned_values() -> None:
    pinned = VALUES["preference"]
    weights = dict(zip(NAMES, pinned["preference"], strict=True))
    reference = dict(zip(NAMES, pinned["pbi"]["reference"], strict=True))
    cosmos = build(COSMOSConfig(weights=weights, cosine_penalty=pinned["cosmos"]["lambda_"]))
    total, gradient = total_and_weights(cosmos, *pinned["losses"])
    assert total == pytest.approx(pinned["cosmos"]["value"], abs=1e-7)
    assert gradient == pytest.approx(pinned["cosmos"]["grad"], abs=1e-7)
    smooth = pinned["smooth_tchebycheff"]
    stch = build(STCHConfig(weights=weights, reference=reference, mu=smooth["mu"]))
    total, gradient = total_and_weights(stch, *pinned["losses"])
    assert total == pytest.approx(smooth["value"], abs=1e-7)
    assert gradient == pytest.approx(smooth["grad"], abs=1e-7)
    pbi = build(PBIConfig(weights=weights, reference=reference, theta=pinned["pbi"]["theta"]))
    total, _ = total_and_weights(pbi, *pinned["losses"])
    assert total == pytest.approx(pinned["pbi"]["value"], abs=1e-6)


def test_preferences_need_not_sum_to_one() -> None:
    small = build(COSMOSConfig(weights={"a": 0.2, "b": 0.5, "c": 0.3}))
    large = build(COSMOSConfig(weights={"a": 2.0, "b": 5.0, "c": 3.0}))
    losses = double(1.0, 2.0, 3.0)
    torch.testing.assert_close(small(losses), large(losses))


@pytest.mark.parametrize(
    ("config", "theirs"),
    [
        (MeanConfig(), scalarization.Mean()),
        (SumConfig(), scalarization.Sum()),
        (ConstantConfig(weights={"b": 3.0}), scalarization.Constant(double(1, 3, 1))),
        (STCHConfig(), scalarization.STCH(0.1)),
        (UWConfig(), scalarization.UW(3).double()),
        (IMTLLConfig(), scalarization.IMTLL(3).double()),
        (DWAConfig(), scalarization.DWA()),
        (FAMOConfig(), scalarization.FAMO(3).double()),
    ],
    ids=lambda value: type(value).__name__,
)
def test_with_all_tasks_present_it_is_what_torchjd_computes(
    config: BalancerConfig, theirs: scalarization.Scalarizer
) -> None:
    losses = double(*VALUES["losses"])
    torch.testing.assert_close(build(config)(losses), theirs(losses))


def test_the_scales_of_imtl_have_the_pinned_total_and_gradients() -> None:
    pinned, balancer = VALUES["imtl_l"], build(IMTLLConfig())
    for parameter, value in zip(balancer.parameters(), pinned["s"], strict=True):
        parameter.data.fill_(value)
    total, _ = total_and_weights(balancer, *VALUES["losses"])
    assert total == pytest.approx(pinned["total"], abs=1e-9)
    slopes = [float(p.grad) for p in balancer.parameters() if p.grad is not None]
    assert slopes == pytest.approx(pinned["grad_s"], abs=1e-9)


def test_the_scales_of_imtl_settle_where_every_scaled_loss_is_one() -> None:
    balancer, losses = build(IMTLLConfig()), VALUES["losses"]
    optimizer = torch.optim.Adam(balancer.parameters(), lr=0.05)
    for _ in range(600):
        optimizer.zero_grad()
        _, weights = total_and_weights(balancer, *losses)
        optimizer.step()
    scales = [float(parameter.detach()) for parameter in balancer.parameters()]
    assert scales == pytest.approx(VALUES["imtl_l"]["stationary_s"], abs=1e-3)
    scaled = [w * loss for w, loss in zip(weights, losses, strict=True)]
    assert scaled == pytest.approx([1.0, 1.0, 1.0], abs=1e-3)


def test_uncertainty_as_in_torchjd_has_the_pinned_total_and_settles_at_its_optimum() -> None:
    pinned = VALUES["all_half_as_in_torchjd_and_libmtl"]
    balancer = build(UWConfig())
    for parameter, value in zip(balancer.parameters(), VALUES["s_log_variance"], strict=True):
        parameter.data.fill_(value)
    total, _ = total_and_weights(balancer, *VALUES["losses"])
    assert total == pytest.approx(pinned["total"], abs=1e-9)
    slopes = [float(p.grad) for p in balancer.parameters() if p.grad is not None]
    assert slopes == pytest.approx(pinned["grad_s"], abs=1e-9)
    for parameter, value in zip(balancer.parameters(), pinned["stationary_s"], strict=True):
        parameter.data.fill_(value)
        parameter.grad = None
    total_and_weights(balancer, *VALUES["losses"])
    slopes = [float(p.grad) for p in balancer.parameters() if p.grad is not None]
    assert slopes == pytest.approx([0.0, 0.0, 0.0], abs=1e-9)


def test_the_smooth_maximum_takes_the_softmax_of_losses_and_not_of_their_shares() -> None:
    losses, mu = double(2.0, 1.0, 1.0), 0.1
    _, weights = total_and_weights(build(STCHConfig(mu=mu)), *losses.tolist())
    once = (losses / 3 / mu).softmax(dim=0) / 3
    of_shares = (losses / losses.sum() / mu).softmax(dim=0) / 3
    assert weights == pytest.approx(once.tolist())
    assert abs(weights[0] - float(of_shares[0])) > 0.01


@pytest.mark.parametrize(("key", "temperature"), [("T=1.0", 1.0), ("T=2.0", 2.0), ("T=20.0", 20.0)])
def test_dynamic_weights_have_the_pinned_values(key: str, temperature: float) -> None:
    pinned = VALUES["dwa"]
    balancer = build(DWAConfig(temperature=temperature, window_steps=2))
    for window in (pinned["L_prev2"], pinned["L_prev"]):
        _, weights = total_and_weights(balancer, *[0.5 * loss for loss in window])
        assert weights == [1.0, 1.0, 1.0]
        total_and_weights(balancer, *[1.5 * loss for loss in window])
    _, weights = total_and_weights(balancer, *VALUES["losses"])
    assert weights == pytest.approx(pinned["lambda_"][key], abs=1e-9)


def test_dynamic_weights_follow_torchjd_over_many_windows() -> None:
    ours, theirs = build(DWAConfig(window_steps=3)), scalarization.DWA()
    generator = torch.Generator().manual_seed(0)
    for step in range(20):
        losses = torch.rand(3, generator=generator, dtype=torch.float64) + 0.5
        torch.testing.assert_close(ours(losses), theirs(losses))
        if step % 3 == 2:
            theirs.step()


def test_a_task_absent_for_a_window_keeps_its_rate_and_changes_no_other_weight() -> None:
    absent, present = build(DWAConfig(window_steps=1)), build(DWAConfig(window_steps=1))
    for losses in ((1.0, 1.0, 1.0), (0.9, 0.5, 1.25)):
        absent(double(*losses))
        present(double(*losses))
    before = total_and_weights(present, 1.0, 1.0, 1.0)[1]
    _, weights = total_and_weights(absent, 1.0, NAN, 1.0)
    assert weights == [before[0], 0.0, before[2]]
    assert [float(absent.newer[1]), float(absent.older[1])] == [0.5, 1.0]


def test_one_complete_step_of_famo_has_the_pinned_values() -> None:
    pinned, balancer = VALUES["famo"], build(FAMOConfig(weight_decay=0.0))
    total, weights = total_and_weights(balancer, *VALUES["losses"])
    assert total == pytest.approx(pinned["scalar_loss"], abs=1e-6)
    assert weights == pytest.approx(pinned["grad_losses"], abs=1e-6)
    balancer.after_step(double(*pinned["losses_after_step"]))
    assert balancer.logits.tolist() == pytest.approx(pinned["w_after_first_adam_step_lr0p025"])
    assert balancer.logits.softmax(dim=0).tolist() == pytest.approx(pinned["z_after"])


def test_famo_follows_torchjd_over_many_steps() -> None:
    ours, theirs = build(FAMOConfig()), scalarization.FAMO(3).double()
    generator = torch.Generator().manual_seed(0)
    for _ in range(20):
        before, after = torch.rand(2, 3, generator=generator, dtype=torch.float64) + 0.5
        torch.testing.assert_close(ours(before), theirs(before))
        ours.after_step(after)
        theirs.update(after)


def test_only_famo_asks_for_losses_after_the_step() -> None:
    assert build(FAMOConfig()).uses_losses_after_step
    assert not build(DWAConfig()).uses_losses_after_step


def test_random_weights_sum_to_one_and_are_equal_on_average() -> None:
    balancer = build(RandomConfig())
    draws = torch.tensor([total_and_weights(balancer, 1.0, 2.0, 3.0)[1] for _ in range(3000)])
    torch.testing.assert_close(draws.sum(dim=1), torch.ones(3000))
    torch.testing.assert_close(draws.mean(dim=0), torch.full((3,), 1 / 3), rtol=0, atol=0.02)


def test_random_weights_depend_on_their_seed_and_never_on_the_global_one() -> None:
    first, same, other = (build(RandomConfig(), seed=seed) for seed in (1, 1, 2))
    torch.rand(1)
    assert total_and_weights(first, 1, 2, 3) == total_and_weights(same, 1, 2, 3)
    assert total_and_weights(first, 1, 2, 3) != total_and_weights(other, 1, 2, 3)


def test_a_mean_without_an_absent_task_is_one_over_the_others() -> None:
    assert total_and_weights(build(MeanConfig()), 1.0, NAN, 3.0) == (2.0, [0.5, 0.0, 0.5])
    _, weights = total_and_weights(build(RandomConfig()), 1.0, NAN, 3.0)
    assert sum(weights) == pytest.approx(1.0)


def test_the_direction_does_not_depend_on_the_unit_of_a_loss() -> None:
    for config in (GeometricMeanConfig(), FAMOConfig()):
        _, small = total_and_weights(build(config), 0.8, 0.05, 3.0)
        _, large = total_and_weights(build(config), 800.0, 0.05, 3.0)
        shares = [w * loss for w, loss in zip(small, (0.8, 0.05, 3.0), strict=True)]
        scaled = [w * loss for w, loss in zip(large, (800.0, 0.05, 3.0), strict=True)]
        assert [s / sum(shares) for s in shares] == pytest.approx([s / sum(scaled) for s in scaled])
