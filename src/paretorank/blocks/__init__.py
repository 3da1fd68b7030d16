"""Torch parts that know nothing about tasks, labels or losses."""

from paretorank.blocks.activations import ACTIVATIONS, Activation
from paretorank.blocks.dropout import Dropout, reseed_dropout
from paretorank.blocks.experts import ExpertBank
from paretorank.blocks.gates import GateBank, mix_experts
from paretorank.blocks.linear import Linear, uniform_parameter
from paretorank.blocks.mlp import MLP
from paretorank.blocks.towers import TowerBank

__all__ = [
    "ACTIVATIONS",
    "MLP",
    "Activation",
    "Dropout",
    "ExpertBank",
    "GateBank",
    "Linear",
    "TowerBank",
    "mix_experts",
    "reseed_dropout",
    "uniform_parameter",
]
