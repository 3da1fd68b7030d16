"""Shape and type checks of the whole package are switched on for every test."""

import os

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # two-thread operators stall behind a neighbour

os.environ.pop("COLUMNS", None)  # a distributed run sets it, and tables would be cut

from jaxtyping import install_import_hook

install_import_hook("paretorank", "beartype.beartype")
