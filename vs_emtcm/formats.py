"""Pixel formats, and the conversion between code values and what the network sees."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vs_emtcm.whole import is_whole

Family = Literal["gray", "yuv", "rgb"]
SampleType = Literal["integer", "float"]
Range = Literal["limited", "full"]
Matrix = Literal["bt601", "bt709", "bt2020"]
ChromaLocation = Literal["left", "center", "top_left", "top", "bottom_left", "bottom"]
Plane = NDArray[np.uint8 | np.uint16 | np.float16 | np.float32]

# In the order of H.273's chroma sample location types 0 to 5.
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

_TORCH_DTYPES = {
    "uint8": torch.uint8,
    "uint16": torch.uint16,
    "float16": torch.float16,
    "float32": torch.float32,
}


@dataclass(frozen=True, kw_only=True)
class PixelFormat:
    """How the samples of a frame are stored, one plane after the other.

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
        # Small numbers of numpy's would overflow where sizes are calculated.
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
        """(height, width) of a plane; a subsampled size is rounded up, as FFmpeg does."""
        if self.family == "yuv" and index in (1, 2):
            horizontal, vertical = self.subsampling
            return -(-height >> vertical), -(-width >> horizontal)
        return height, width


@dataclass(frozen=True, kw_only=True)
class Color:
    """What the samples of a frame mean.

    Attributes:
        range: "limited" (studio: 16 to 235 in 8 bits, nominal 0..1 for float) or "full"; None is full for
            RGB and limited for YUV and grey.
        chroma_location: where a subsampled chroma sample lies (H.273 types 0 to 5).
        matrix: which luma RGB is split into; not used for YUV and grey.

    Raises:
        ValueError: one of them does not exist.
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
        """The range of samples of such a family."""
        return self.range or ("full" if family == "rgb" else "limited")


def full_scale(format: PixelFormat) -> float:
    """The largest code value, or 1 for float samples."""
    return float((1 << format.bits) - 1) if format.sample_type == "integer" else 1.0


def luma_slope_and_offset(format: PixelFormat, range: Range) -> tuple[float, float]:
    """``slope`` and ``offset`` with network value = code value * slope + offset.

    The network sees 8-bit studio-range luma divided by 255. Float luma 0..1 is the nominal range, as
    is full-range luma.
    """
    if format.sample_type == "integer" and range == "limited":
        return 1 / (255 << (format.bits - 8)), 0.0
    return 219 / 255 / full_scale(format), 16 / 255


def to_network(samples: Tensor, slope: float, offset: float) -> Tensor:
    """Code values of luma as the network sees them; see :func:`luma_slope_and_offset`."""
    values = samples * slope
    return values.add_(offset) if offset else values


def from_network(values: Tensor, slope: float, offset: float) -> Tensor:
    """The code values of what the network gives, which is overwritten."""
    return (values.sub_(offset) if offset else values).div_(slope)


def with_bits(format: PixelFormat, bits: int | None) -> PixelFormat:
    """A format with as many bits or more; None changes nothing.

    Raises:
        ValueError: there is no such format, or it has fewer.
    """
    if bits is None:
        return format
    deeper = replace(format, bits=bits)
    if deeper.bits < format.bits:
        raise ValueError(f"bits of the result is {bits}; accepted are {format.bits} and more")
    return deeper


def deepened(values: Tensor, plane: int, format: PixelFormat, deeper: PixelFormat, range: Range) -> Tensor:
    """Code values of a plane in another depth (ITU-T H.273, 8.3); they are overwritten.

    Args:
        values: of ``format``.
        plane: its index.
        deeper: the format that they get.
        range: of the samples.
    """
    if deeper.bits == format.bits or format.sample_type == "float":
        return values
    is_chroma = format.family == "yuv" and plane in (1, 2)
    is_alpha = format.alpha and plane == format.planes - 1
    if range == "limited" and not is_alpha:
        return values.mul_(1 << (deeper.bits - format.bits))
    middle, deeper_middle = (1 << (each.bits - 1) if is_chroma else 0 for each in (format, deeper))
    return values.sub_(middle).mul_(full_scale(deeper) / full_scale(format)).add_(deeper_middle)


def to_samples(values: Tensor, format: PixelFormat) -> Tensor:
    """Code values as a plane holds them: in its dtype, rounded and clamped if that is of integers.

    The values are overwritten: a large picture has room for them once.
    """
    if format.sample_type == "integer":
        values = values.round_().clamp_(0, full_scale(format))
    return values.to(torch_dtype(format.dtype))


def torch_dtype(dtype: np.dtype[np.uint8 | np.uint16 | np.float16 | np.float32]) -> torch.dtype:
    """PyTorch's name for the dtype of a plane."""
    return _TORCH_DTYPES[dtype.name]


def check_planes(planes: Sequence[Plane], format: PixelFormat) -> None:
    """Refuse planes that do not fit their format.

    Raises:
        ValueError: number, type, shape or dtype are wrong; the message says what is needed.
    """
    _check_arrays(planes, format)
    shape = planes[0].shape
    if len(shape) != 2 or 0 in shape:
        raise ValueError(f"the first plane has the shape {shape}; it must be (height, width)")
    check_shapes(planes, format, shape[1], shape[0])


def check_shapes(planes: Sequence[Plane], format: PixelFormat, width: int, height: int) -> None:
    """Refuse planes that do not belong to a picture of this size.

    Raises:
        ValueError: number, a type, a shape or a dtype is wrong; the message says what is needed.
    """
    _check_arrays(planes, format)
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
