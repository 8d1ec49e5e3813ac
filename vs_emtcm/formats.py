"""Describe the planes of a frame: how their samples are stored, and what they mean."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from vs_emtcm.whole import is_whole

Family = Literal["gray", "yuv", "rgb"]
SampleType = Literal["integer", "float"]
Range = Literal["limited", "full"]
Matrix = Literal["bt601", "bt709", "bt2020"]
ChromaLocation = Literal["left", "center", "top_left", "top", "bottom_left", "bottom"]
Plane = NDArray[np.uint8 | np.uint16 | np.float16 | np.float32]

# Ordered by their numbers in H.273, chroma sample location types 0 to 5.
CHROMA_LOCATIONS: tuple[ChromaLocation, ...] = (
    "left",
    "center",
    "top_left",
    "top",
    "bottom_left",
    "bottom",
)

# Red and blue weights of luma: ITU-R BT.601, BT.709, BT.2020 (non-constant luminance).
LUMA_WEIGHTS: dict[Matrix, tuple[float, float]] = {
    "bt601": (0.299, 0.114),
    "bt709": (0.2126, 0.0722),
    "bt2020": (0.2627, 0.0593),
}


@dataclass(frozen=True, kw_only=True)
class PixelFormat:
    """The way in which the samples of a frame are stored, one plane after the other.

    Attributes:
        family: "gray" (one plane), "yuv" (Y, U, V) or "rgb" (R, G, B).
        bits: 8 to 16 for integer samples, 16 (half) or 32 for float samples.
        sample_type: "integer" or "float".
        subsampling: base-2 logarithm of the chroma subsampling, (horizontal, vertical): 4:2:0 is
            (1, 1), 4:2:2 (1, 0), 4:4:0 (0, 1), 4:1:1 (2, 0), 4:1:0 (2, 2).
        alpha: whether one more plane, of the full size, holds opacity.

    Raises:
        ValueError: the combination does not exist.
    """

    family: Family
    bits: int = 8
    sample_type: SampleType = "integer"
    subsampling: tuple[int, int] = (0, 0)
    alpha: bool = False

    def __post_init__(self) -> None:
        if self.family not in ("gray", "yuv", "rgb"):
            raise ValueError(f"family is {self.family!r}; accepted are 'gray', 'yuv' and 'rgb'")
        if self.sample_type not in ("integer", "float"):
            raise ValueError(f"sample_type is {self.sample_type!r}; accepted are 'integer' and 'float'")
        if not is_whole(self.bits):
            raise ValueError(f"bits is {self.bits!r}; accepted are whole numbers")
        halved = tuple(self.subsampling) if isinstance(self.subsampling, Sequence) else ()
        if len(halved) != 2 or not all(map(is_whole, halved)):
            raise ValueError(f"subsampling is {self.subsampling!r}; accepted are two of 0, 1 and 2")
        # Small integers of numpy's would overflow where sizes are calculated.
        object.__setattr__(self, "bits", int(self.bits))
        object.__setattr__(self, "subsampling", (int(halved[0]), int(halved[1])))
        object.__setattr__(self, "alpha", bool(self.alpha))
        depths = range(8, 17) if self.sample_type == "integer" else (16, 32)
        if self.bits not in depths:
            accepted = "8 to 16" if self.sample_type == "integer" else "16 and 32"
            other = "; or sample_type 'float'" if self.sample_type == "integer" else ""
            raise ValueError(
                f"{self.bits} bits per {self.sample_type} sample; accepted are {accepted}{other}"
            )
        if self.family != "yuv" and self.subsampling != (0, 0):
            raise ValueError(f"{self.family} cannot be subsampled; subsampling must be (0, 0)")
        if not all(s in (0, 1, 2) for s in self.subsampling):
            raise ValueError(f"subsampling is {self.subsampling}; accepted are 0, 1 and 2 each")

    @property
    def dtype(self) -> np.dtype[np.uint8 | np.uint16 | np.float16 | np.float32]:
        """The numpy dtype of a plane: uint8, uint16, float16 or float32."""
        if self.sample_type == "float":
            return np.dtype(np.float16 if self.bits == 16 else np.float32)
        return np.dtype(np.uint8 if self.bits == 8 else np.uint16)

    @property
    def planes(self) -> int:
        """Number of planes, alpha included."""
        return (1 if self.family == "gray" else 3) + self.alpha

    def plane_shape(self, index: int, width: int, height: int) -> tuple[int, int]:
        """Return (height, width) of a plane; a subsampled size is rounded up, as FFmpeg does.

        Args:
            index: of the plane.
            width: of the frame, in pixels.
            height: of the frame, in pixels.
        """
        if self.family == "yuv" and index in (1, 2):
            horizontal, vertical = self.subsampling
            return -(-height >> vertical), -(-width >> horizontal)
        return height, width


@dataclass(frozen=True, kw_only=True)
class Color:
    """The meaning of the samples of a frame.

    Attributes:
        range: "limited" (studio: 16 to 235 in 8 bits, nominal 0..1 for float) or "full"; None is full for
            RGB and limited for YUV and grey.
        chroma_location: where a subsampled chroma sample lies (H.273 types 0 to 5).
        matrix: which luma RGB is split into; not used for YUV and grey.

    Raises:
        ValueError: a range, location or matrix does not exist.
    """

    range: Range | None = None
    chroma_location: ChromaLocation = "left"
    matrix: Matrix = "bt709"

    def __post_init__(self) -> None:
        for name, accepted in (
            ("range", (*get_args(Range), None)),
            ("chroma_location", CHROMA_LOCATIONS),
            ("matrix", get_args(Matrix)),
        ):
            if getattr(self, name) not in accepted:
                raise ValueError(
                    f"{name} is {getattr(self, name)!r}; accepted are {', '.join(map(str, accepted))}"
                )

    def range_in(self, family: Family) -> Range:
        """Return the range of the samples of a frame of this family."""
        return self.range or ("full" if family == "rgb" else "limited")


def full_scale(format: PixelFormat) -> float:
    """Return the largest code value, or 1 for float samples."""
    return float((1 << format.bits) - 1) if format.sample_type == "integer" else 1.0


def with_bits(format: PixelFormat, bits: int | None) -> PixelFormat:
    """Return a format with ``bits`` bits per sample; None leaves them as they are.

    Raises:
        ValueError: there is no such format, or it has fewer bits.
    """
    if bits is None:
        return format
    deeper = replace(format, bits=bits)
    if deeper.bits < format.bits:
        raise ValueError(f"bits of the result is {bits}; accepted are {format.bits} and more")
    return deeper


def check_planes(planes: Sequence[Plane], format: PixelFormat) -> None:
    """Refuse planes that do not fit their format; the first one gives the size of the frame.

    Raises:
        ValueError: number, type, shape or dtype are wrong, or ``format`` is no PixelFormat; the message says
            what is needed.
    """
    if not isinstance(format, PixelFormat):
        raise ValueError(f"format is {format!r}; give a PixelFormat")
    _check_arrays(planes, format)
    shape = planes[0].shape
    if len(shape) != 2 or 0 in shape:
        raise ValueError(f"the first plane has the shape {shape}; it must be (height, width)")
    _check_shapes(planes, format, shape[0], shape[1])


def check_targets(targets: Sequence[Plane], format: PixelFormat, height: int, width: int) -> None:
    """Refuse planes that a frame of this format and size cannot be written to.

    Raises:
        ValueError: number, type, shape or dtype are wrong, or one is read-only; the message says what is
            needed.
    """
    _check_arrays(targets, format)
    _check_shapes(targets, format, height, width)
    for index, target in enumerate(targets):
        if not target.flags.writeable:
            raise ValueError(f"target plane {index} is read-only; give arrays that can be written to")


def _check_shapes(planes: Sequence[Plane], format: PixelFormat, height: int, width: int) -> None:
    for index, plane in enumerate(planes):
        wanted = format.plane_shape(index, width, height)
        if plane.shape != wanted or plane.dtype != format.dtype:
            raise ValueError(
                f"plane {index} is {plane.dtype} of shape {plane.shape}; "
                f"the format needs {format.dtype} of shape {wanted}"
            )


def _check_arrays(planes: Sequence[Plane], format: PixelFormat) -> None:
    if len(planes) != format.planes:
        raise ValueError(f"{len(planes)} planes were given; the format has {format.planes}")
    for index, plane in enumerate(planes):
        if not isinstance(plane, np.ndarray):
            raise ValueError(f"plane {index} is of the type {type(plane).__name__}; give numpy arrays")
