"""Cross-stitch networks."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from paretorank.architectures import CrossStitch, CrossStitchConfig, SharedBottomConfig
from paretorank.architectures.cross_stitch import exchange
from paretorank.blocks import ExpertBank

VALUES: dict[str, Any] = json.loads(
    (Path(__file__).parents[1] / "values" / "architectures.json").read_text()
)


def double(values: object) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)


def random_model(n_tasks: int = 3, **settings: Any) -> CrossStitch:
    config = CrossStitchConfig(hidden_dims=(7, 5), **settings)
    generator = torch.Generator().manual_seed(3)
    return config.build(in_dim=6, n_tasks=n_tasks, generator=generator).double()


def rows(n_rows: int = 5) -> Tensor:
    generator = torch.Generator().manual_seed(4)
    return torch.randn(n_rows, 6, generator=generator, dtype=torch.float64)


@pytest.mark.parametrize("granularity", ["layer", "unit"])
def test_an_exchange_has_the_pinned_values(granularity: str) -> None:
    pinned = VALUES["cross_stitch"]
    stitch = double(pinned["alpha"])
    if granularity == "unit":
        stitch = stitch.unsqueeze(2).expand(-1, -1, 2)
    found = exchange(double(pinned["hidden"]), stitch)
    torch.testing.assert_close(found, double(pinned["out"]), rtol=0.0, atol=1e-9)


@pytest.mark.parametrize("granularity", ["layer", "unit"])
def test_each_unit_starts_with_the_own_share_and_rows_sum_to_one(granularity: str) -> None:
    for stitch in random_model(own_share=0.8, granularity=granularity).stitches:
        assert torch.allclose(stitch[0, 0], double(0.8))
        assert torch.allclose(stitch[0, 1], double(0.1))
        assert torch.allclose(stitch.sum(dim=1), double(1.0))


def test_without_exchange_the_tasks_are_networks_of_their_own() -> None:
    model = random_model(own_share=1.0)
    alone = SharedBottomConfig(hidden_dims=(7, 5)).build(
        in_dim=6, n_tasks=1, generator=torch.Generator()
    )
    for layer, of_all in zip(alone.double().bottom.layers, model.layers, strict=True):
        assert isinstance(of_all, ExpertBank)
        with torch.no_grad():
            layer.weight.copy_(of_all.first_weight.chunk(3)[1])
            layer.bias.copy_(of_all.first_bias.chunk(3)[1])
    torch.testing.assert_close(model(rows())[:, 1], alone(rows())[:, 0])
    model(rows())[:, 1].square().sum().backward()
    for layer in model.layers:
        first, second, third = layer.get_parameter("first_weight").grad.chunk(3)
        assert second.abs().max() > 0
        assert max(first.abs().max(), third.abs().max()) == 0


def test_equal_shares_make_the_streams_identical() -> None:
    h = random_model(n_tasks=2, own_share=0.5)(rows())
    torch.testing.assert_close(h[:, 0], h[:, 1])


def test_an_independent_forward_pass_in_numpy_agrees() -> None:
    model = random_model(n_tasks=2)
    state = {name: value.numpy() for name, value in model.state_dict().items()}
    streams = [rows().numpy()] * 2
    for layer, width in enumerate((7, 5)):
        weight, bias = (state[f"layers.{layer}.first_{part}"] for part in ("weight", "bias"))
        hidden = []
        for task, stream in enumerate(streams):
            units = slice(task * width, (task + 1) * width)
            hidden.append(np.maximum(stream @ weight[units].T + bias[units], 0))
        stitch = state[f"stitches.{layer}"]
        streams = [stitch[t, 0] * hidden[0] + stitch[t, 1] * hidden[1] for t in range(2)]
    found = model(rows()).detach().numpy()
    np.testing.assert_allclose(found, np.stack(streams, axis=1), atol=1e-12)
