"""Keep PyTorch's compiler out of a process that does not compile.

The first call of some optimizer methods imports `torch._dynamo`, which takes a second or more, only
to wrap them in a marker for the compiler. Without compiled code around them the marker has no
effect, so they may be called as they are.
"""

import sys

from torch.optim import Optimizer

_MARKED = ("add_param_group", "load_state_dict", "state_dict", "zero_grad")
_MARKER = "__dynamo_disable"  # where PyTorch looks for the wrapped method


def leave_compiler_out() -> None:
    """Let optimizers be made without importing the compiler, unless it is there already.

    A version of PyTorch that marks its methods in another way is left as it is.
    """
    if "torch._dynamo" in sys.modules:
        return
    for name in _MARKED:
        plain = getattr(getattr(Optimizer, name, None), "__wrapped__", None)
        if plain is not None and not hasattr(plain, _MARKER):
            setattr(plain, _MARKER, plain)
