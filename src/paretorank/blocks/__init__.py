"""Torch parts that know nothing about tasks, labels or losses."""

from paretorank.blocks.activations import ACTIVATIONS, Activation
from paretorank.blocks.dropout import Dropout, reseed_dropout
from paretorank.blocks.expert_groups import ExpertGroups
from paretorank.blocks.experts import ExpertBank
from paretorank.blocks.extraction import ExtractionLevel
from paretorank.blocks.extras import NO_EXTRAS, Extras
from paretorank.blocks.gate_softmax import GateSoftmax
from paretorank.blocks.gates import GateBank, mix_experts
from paretorank.blocks.grouped_rows import GroupedRows, Groups, Rows, linear, whole_rows
from paretorank.blocks.linear import Linear, uniform_parameter
from paretorank.blocks.mlp import MLP
from paretorank.blocks.outputs import OutputBank
from paretorank.blocks.penalized import Penalized
from paretorank.blocks.sight import spread_logits, spread_weights, weights_in_sight
from paretorank.blocks.towers import TowerBank

__all__ = [
    "ACTIVATIONS",
    "MLP",
    "NO_EXTRAS",
    "Activation",
    "Dropout",
    "ExpertBank",
    "ExpertGroups",
    "ExtractionLevel",
    "Extras",
    "GateBank",
    "GateSoftmax",
    "GroupedRows",
    "Groups",
    "Linear",
    "OutputBank",
    "Penalized",
    "Rows",
    "TowerBank",
    "linear",
    "mix_experts",
    "reseed_dropout",
    "spread_logits",
    "spread_weights",
    "uniform_parameter",
    "weights_in_sight",
    "whole_rows",
]
