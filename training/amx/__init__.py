"""The network in training on an x86 processor's matrix unit (AMX), in bfloat16.

``network.cpp`` computes the details of a batch of crops and the gradients of all weights, about ten times
as fast as PyTorch does on the same core.
"""

from training.amx.details import AmxDetails
from training.amx.library import AmxError

__all__ = ["AmxDetails", "AmxError"]
