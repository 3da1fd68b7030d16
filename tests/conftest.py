"""Shape and type checks of the whole package are switched on for every test."""

import os

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # two-thread operators stall behind a neighbour

os.environ.pop("COLUMNS", None)  # a distributed run sets it, and tables would be cut

import hypothesis
from jaxtyping import install_import_hook

install_import_hook("paretorank", "beartype.beartype")

# The same examples on every machine; HYPOTHESIS_PROFILE=search looks for new ones, and longer.
SLOW = [hypothesis.HealthCheck.too_slow, hypothesis.HealthCheck.data_too_large]
hypothesis.settings.register_profile(
    "ci", derandomize=True, max_examples=50, deadline=None, suppress_health_check=SLOW
)
hypothesis.settings.register_profile(
    "search", max_examples=2_000, deadline=None, suppress_health_check=SLOW
)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))
