"""Everything that TorchJD has for gradients is there by name, or there is a reason why not."""

from typing import get_args

from torchjd import aggregation

from paretorank.balancing import BalancerConfig

WEIGHS_LOSSES = "the same on losses, at no cost"
BASE = "a base class"
LISTED = {
    "Aggregator": BASE,
    "AlignedMTL": "aligned_mtl",
    "CAGrad": "cagrad",
    "ConFIG": "config",
    "Constant": f"constant: {WEIGHS_LOSSES}",
    "CRMOGM": "cr_mogm",
    "DualProj": "dual_proj",
    "ExcessMTL": "excess_mtl",
    "FairGrad": "fair_grad",
    "GradDrop": "grad_drop",
    "GradVac": "grad_vac",
    "GramianWeightedAggregator": BASE,
    "IMTLG": "imtl_g",
    "Krum": "krum",
    "Mean": f"mean: {WEIGHS_LOSSES}",
    "MGDA": "mgda_frank_wolfe",
    "MoDo": "modo",
    "NashMTL": "nash_mtl_conic",
    "PCD": "pcd",
    "PCGrad": "pcgrad",
    "Random": f"random: {WEIGHS_LOSSES}",
    "SDMGrad": "sdmgrad",
    "Sum": f"sum: {WEIGHS_LOSSES}",
    "TrimmedMean": "trimmed_mean",
    "UPGrad": "upgrad",
    "WeightedAggregator": BASE,
    "Weighting": BASE,
}


def test_every_weighting_and_aggregator_of_torchjd_is_listed() -> None:
    methods = {
        name.removesuffix("Weighting") if name != "Weighting" else name
        for name in aggregation.__all__
    }
    assert methods == set(LISTED)


def test_what_is_listed_can_be_named_in_a_configuration() -> None:
    members = get_args(get_args(BalancerConfig)[0])
    kinds = {member.model_fields["kind"].default for member in members}
    named = {kind.split(":")[0] for kind in LISTED.values() if kind != BASE}
    assert named <= kinds
