"""Shape and type checks of the whole package are switched on for every test."""

import os

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # two-thread operators stall behind a neighbour

from jaxtyping import install_import_hook

install_import_hook("paretorank", "beartype.beartype")
