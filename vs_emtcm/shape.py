"""The size of a network, and what follows from it: how far it sees, and what it costs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields

# Side of the first convolution's kernel, in pixels.
HEAD_SIZE = 5
# Side of all other kernels, in pixels.
BODY_SIZE = 3


@dataclass(frozen=True, kw_only=True)
class Shape:
    """The size of a network.

    Attributes:
        channels: feature channels of every hidden layer.
        stage1: 3x3 layers of the first stage between its head and its estimate.
        stage2: 3x3 layers of the second stage before its estimate.
    """

    channels: int
    stage1: int
    stage2: int

    @classmethod
    def from_metadata(cls, metadata: Mapping[str, str]) -> Shape:
        """Read the size from the metadata of a weights file.

        Raises:
            KeyError: a number is missing.
            ValueError: a number is not whole, or below 1.
        """
        numbers = {part.name: int(metadata[part.name]) for part in fields(cls)}
        if min(numbers.values()) < 1:
            raise ValueError(f"a network has at least one of each, not {numbers}")
        return cls(**numbers)


def receptive_radius(shape: Shape, stages: int) -> int:
    """Return how many input pixels on each side of a pixel its upscaled block depends on."""
    radius = HEAD_SIZE // 2 + shape.stage1 + BODY_SIZE // 2
    if stages == 2:
        radius += shape.stage2 + BODY_SIZE // 2
    return radius


def macs_per_pixel(shape: Shape, scale: int, stages: int) -> int:
    """Return the multiply-accumulates per input pixel, the fixed interpolation included."""
    c, r2 = shape.channels, scale * scale
    total = HEAD_SIZE**2 * (c + r2) + BODY_SIZE**2 * (shape.stage1 * c * c + c * r2)
    if stages == 2:
        total += BODY_SIZE**2 * ((c + r2) * c + (shape.stage2 - 1) * c * c + c * r2)
    return total
