"""The sizes of input that an engine accepts."""

from __future__ import annotations

from dataclasses import dataclass

from trt_build.errors import BuildError

Size = tuple[int, int]
# Largest height and width in pixels: TensorRT indexes the elements of a tensor with 32 bits.
LARGEST = 16384


@dataclass(frozen=True, kw_only=True)
class Profile:
    """Smallest, most frequent and largest input, each (height, width) in pixels.

    If all three are equal, the engine is static.

    Raises:
        BuildError: a size is not positive, too large, or the three are not in order.
    """

    minimum: Size
    optimum: Size
    maximum: Size

    def __post_init__(self) -> None:
        for size in (self.minimum, self.optimum, self.maximum):
            if min(size) < 1:
                raise BuildError(f"{_text(size)} is no size; height and width must be at least 1")
            if max(size) > LARGEST:
                raise BuildError(f"{_text(size)} is too large; height and width can be {LARGEST} at most")
        for small, large in ((self.minimum, self.optimum), (self.optimum, self.maximum)):
            if small[0] > large[0] or small[1] > large[1]:
                raise BuildError(
                    f"the sizes {_text(self.minimum)}, {_text(self.optimum)}, {_text(self.maximum)} are not "
                    "in order; give the smallest, the most frequent and the largest"
                )

    @property
    def static(self) -> bool:
        """Whether only one size is accepted."""
        return self.minimum == self.maximum

    def grown(self, border: int) -> Profile:
        """Return the profile of inputs with ``border`` more pixels on each side."""
        sizes = [
            (height + 2 * border, width + 2 * border)
            for height, width in (self.minimum, self.optimum, self.maximum)
        ]
        return Profile(minimum=sizes[0], optimum=sizes[1], maximum=sizes[2])

    def __str__(self) -> str:
        if self.static:
            return _text(self.optimum)
        return f"{_text(self.minimum)}..{_text(self.optimum)}..{_text(self.maximum)}"


def _text(size: Size) -> str:
    """Format a size as width x height."""
    return f"{size[1]}x{size[0]}"


def parse_size(text: str) -> Size:
    """Parse width x height, such as ``"1920x1080"``, into (height, width).

    Raises:
        BuildError: the text is no size.
    """
    width, _, height = text.partition("x")
    if not (width.isdecimal() and height.isdecimal()):
        raise BuildError(f"size is {text!r}; give width and height like 1920x1080")
    return int(height), int(width)
