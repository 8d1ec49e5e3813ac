"""Upscaler: one frame's planes in, upscaled planes out; the only place where pixels meet the network."""

from __future__ import annotations

import copy
import logging
import os
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Self

import numpy as np
import torch
from torch import Tensor

from vs_emtcm import models
from vs_emtcm.engines import create_engine
from vs_emtcm.engines.engine import Engine
from vs_emtcm.errors import EmtcmError, is_device_out_of_memory, is_host_out_of_memory, reason
from vs_emtcm.mirror import mirrored
from vs_emtcm.pipeline import filled, upscaled_planes
from vs_emtcm.planes import (
    Color,
    PixelFormat,
    Plane,
    check_planes,
    check_shapes,
    deepened,
    to_samples,
    with_bits,
)
from vs_emtcm.recorder import Recorder
from vs_emtcm.tiles import checked_tile, even_tile, spans
from vs_emtcm.transfer import HostBuffer, packed, pinned_is_faster, unpacked

_log = logging.getLogger(__name__)
# Where the memory of a device ends, tiles are halved down to this side; their features take a few megabytes.
SMALLEST_FOR_ROOM = 128

# The process that first worked with several threads of PyTorch's. One that is forked from it inherits the
# number, but not the threads, and PyTorch would wait for them for ever.
_first_at_work: int | None = None


class Upscaler:
    """Upscales frames by a fixed factor; use one per thread, see :meth:`another`.

    Args:
        scale: 2, 3 or 4.
        model: a shipped model's name, or the path of a ``.safetensors`` weights file.
        tune: "video" for compressed or noisy sources, "clean" for sharp, uncompressed ones; not used
            with a weights file.
        stages: 2, or 1 for about twice the speed at a little less quality.
        backend: "auto", "tensorrt", "openvino", "openvino-bf16" or "torch".
        device: "auto", "cpu", "cuda" or "cuda:N".
        tile: work in tiles of this many input pixels, (width, height) or one number for both, to
            bound memory; 0 never tiles; None chooses. The result is the same up to the rounding of
            float sums.
        store: folder of TensorRT engines; None is the one in the user's cache.

    Raises:
        UsageError: an argument is not among those accepted.
        EmtcmError: the engine could not be built.

    Attributes:
        scale: as given.
        engine: what runs the network.
        recorder: what records the work on a frame, on a GPU.
        provenance: what the result depends on besides the frames, by name.

    Example:
        >>> up = Upscaler(scale=2)
        >>> y2, u2, v2 = up.upscale([y, u, v], PixelFormat(family="yuv", subsampling=(1, 1)))
    """

    def __init__(
        self,
        scale: int = 2,
        *,
        model: str | os.PathLike[str] = "base",
        tune: str = "video",
        stages: int = 2,
        backend: str = "auto",
        device: str = "auto",
        tile: int | tuple[int, int] | None = None,
        store: str | os.PathLike[str] | None = None,
    ) -> None:
        models.check_scale(scale)
        models.check_stages(stages)
        # A small number of numpy's would overflow where sizes are multiplied by it.
        scale, stages = int(scale), int(stages)
        self.tile = checked_tile(tile)
        # The size of the last frame, and of the tiles that the memory had room for.
        self._size = self._roomy = (0, 0)
        # Twins share it.
        self._warned = threading.Event()
        self._at_work = threading.Lock()
        path = models.resolve(model, tune)
        weights = models.load(path, scale)
        self.scale = scale
        self._takes_noise = weights.tune == "video"
        # Before the engine, which it uses, for attributes are given up in the order in which they came.
        self.recorder: Recorder | None = None
        self.engine = create_engine(
            weights,
            stages=stages,
            backend=backend,
            device=device,
            label=path.stem,
            store=None if store is None else Path(store),
        )
        self.provenance: Mapping[str, str | int] = {
            "scale": scale,
            "stages": stages,
            "engine": self.engine.description,
            "weights (of model and tune)": models.fingerprint(weights),
        }
        place = self.engine.device
        try:
            self.host = HostBuffer(place, pinned=place.type == "cuda" and pinned_is_faster(place))
        except RuntimeError as error:
            raise EmtcmError(f"device {str(place)!r} cannot be used: {reason(error)}") from error
        self.recorder = _recorder_of(self.engine)

    def another(self) -> Self:
        """One more of the same for another thread; it shares the weights, and TensorRT's engine.

        Raises:
            EmtcmError: the device has no room for it.
        """
        twin = copy.copy(self)
        twin._at_work = threading.Lock()
        twin.engine = self.engine.another()
        twin.host = HostBuffer(self.host.device, pinned=self.host.pinned)
        twin.recorder = _recorder_of(twin.engine)
        return twin

    def upscale(
        self,
        planes: Sequence[Plane],
        format: PixelFormat,
        color: Color | None = None,
        *,
        bits: int | None = None,
    ) -> tuple[Plane, ...]:
        """Upscale one frame.

        Args:
            planes: one (H, W) array per plane of ``format``, of its dtype, in its order: Y, U, V or
                R, G, B, then alpha. Any strides.
            format: how the samples are stored.
            color: what they mean; None is what :class:`Color` is by itself.
            bits: of the samples of the result, as many as those of ``format`` or more, as 8 bits round away
                much of what the network makes of a slow gradient. None is as many.

        Returns:
            New planes of the result's format, ``scale`` times the size: (scale * H, scale * W). Chroma of
            an odd-sized picture is as large as the larger picture needs, its size rounded up.

        Raises:
            ValueError: number, kind, shape or dtype of the planes do not fit the format, or it has more bits.
            EmtcmError: see :meth:`upscale_into`.
        """
        check_planes(planes, format)
        height, width = planes[0].shape
        result = with_bits(format, bits)
        shapes = (
            result.plane_shape(i, width * self.scale, height * self.scale) for i in range(result.planes)
        )
        try:
            targets = tuple(np.empty(shape, result.dtype) for shape in shapes)
        except MemoryError as error:
            raise self._too_large(width, height) from error
        self.upscale_into(planes, targets, format, color, bits=bits)
        return targets

    @torch.inference_mode()
    def upscale_into(
        self,
        planes: Sequence[Plane],
        targets: Sequence[Plane],
        format: PixelFormat,
        color: Color | None = None,
        *,
        bits: int | None = None,
    ) -> None:
        """:meth:`upscale` into arrays that are there already, such as the planes of a frame.

        Raises:
            ValueError: number, kind, shape or dtype of the planes do not fit the format, or it has more bits.
            EmtcmError: the device has no room for the picture, not even in tiles; this is at work in
                another thread; or PyTorch had worked with several threads before this process was forked.
        """
        check_planes(planes, format)
        height, width = planes[0].shape
        result = with_bits(format, bits)
        check_shapes(targets, result, self.scale * width, self.scale * height)
        _check_process()
        if not self._at_work.acquire(blocking=False):
            raise EmtcmError("this Upscaler is at work in another thread; give each its own, by another()")
        try:
            color = Color() if color is None else color
            self._in_room(width, height, partial(self._upscale_once, planes, targets, format, result, color))
        finally:
            self._at_work.release()

    def _in_room(self, width: int, height: int, work: Callable[[], None]) -> None:
        """Do the work of a frame of this size, in smaller tiles where the device has no room for it."""
        if self._size != (width, height):
            self._size = self._roomy = width, height
        released = False
        while True:
            try:
                # Whoever calls may have asked for half precision of everything.
                with torch.autocast(self.engine.device.type, enabled=False), _stream_of(self.engine):
                    work()
                return
            except (RuntimeError, MemoryError) as error:
                if self.engine.device.type == "cpu" and is_host_out_of_memory(error):
                    raise self._too_large(width, height) from error
                if not is_device_out_of_memory(error):
                    raise
            # What is kept for other sizes may be all that is in the way.
            if self.recorder is not None:
                self.recorder.release()
            self.engine.release()
            if released:
                self._make_room()
            released = True

    def _too_large(self, width: int, height: int) -> EmtcmError:
        return EmtcmError(
            f"there is no memory for {width}x{height} pixels at {self.scale}x; a smaller scale takes less"
        )

    def _upscale_once(
        self,
        planes: Sequence[Plane],
        targets: Sequence[Plane],
        format: PixelFormat,
        result: PixelFormat,
        color: Color,
    ) -> None:
        shapes = [plane.shape for plane in planes]
        # What this holds on the device is gone when it fails.
        sent = self.host.upload(planes)
        samples = partial(self._samples, shapes=shapes, format=format, result=result, color=color)
        if format.alpha:
            sources = filled(
                unpacked(sent, shapes), format, self.engine.radius, takes_noise=self._takes_noise
            )
            sent = packed(sources)
            del sources
        if self.recorder is None:
            for part, target in zip(samples(sent), targets, strict=True):
                np.copyto(target, part[0, 0].numpy())
            return
        kind = *shapes, format, result, color, self._tile_size(*shapes[0][::-1])
        self.host.download(self.recorder(kind, sent, lambda sent: packed(samples(sent))), targets)

    def _samples(
        self,
        sent: Tensor,
        *,
        shapes: Sequence[tuple[int, int]],
        format: PixelFormat,
        result: PixelFormat,
        color: Color,
    ) -> Iterator[Tensor]:
        """Samples (1, 1, H, W) of every plane of the result."""
        upscaled = upscaled_planes(
            unpacked(sent, shapes),
            format,
            color,
            self._run,
            scale=self.scale,
            takes_noise=self._takes_noise,
        )
        # One plane after the other, and none is held on to: samples take a quarter of the room of what they
        # are made of.
        for index in range(result.planes):
            plane = deepened(next(upscaled), index, format, result, color.range_in(format.family))
            yield to_samples(plane, result)
            del plane

    def _run(self, luma: Tensor) -> Tensor:
        """(1, 1, H, W) network values in, (1, 1, scale * H, scale * W) out."""
        radius, scale = self.engine.radius, self.scale
        height, width = luma.shape[-2:]
        padded = mirrored(luma, radius)
        tile_width, tile_height = self._tile_size(width, height)
        if (tile_width, tile_height) == (width, height):
            return self.engine(padded)
        result = luma.new_empty((1, 1, scale * height, scale * width))
        for y, rows in spans(height, tile_height):
            for x, columns in spans(width, tile_width):
                part = padded[..., y : y + rows + 2 * radius, x : x + columns + 2 * radius]
                place = (
                    slice(scale * y, scale * (y + rows)),
                    slice(scale * x, scale * (x + columns)),
                )
                result[..., *place] = self.engine(part)
        return result

    def _make_room(self) -> None:
        """Go on in tiles of half the size, this frame and those of its size after it.

        Raises:
            EmtcmError: they are small already.
        """
        width, height = self._size
        tile_width, tile_height = self._tile_size(width, height)
        if max(tile_width, tile_height) <= SMALLEST_FOR_ROOM:
            raise EmtcmError(
                f"device {str(self.engine.device)!r} has no room for {width}x{height} pixels at "
                f"{self.scale}x, not even in tiles; use device 'cpu' or a smaller scale"
            )
        self._roomy = (
            max(min(tile_width, SMALLEST_FOR_ROOM), tile_width // 2),
            max(min(tile_height, SMALLEST_FOR_ROOM), tile_height // 2),
        )
        if not self._warned.is_set():
            _log.warning(
                "emtcm: not enough GPU memory for %dx%d pixels at once; going on in tiles, "
                "with the same result; fewer lanes or a tile size avoid this",
                tile_width,
                tile_height,
            )
        self._warned.set()

    def _tile_size(self, width: int, height: int) -> tuple[int, int]:
        wanted = (width, height) if self.tile == (0, 0) else self.tile
        if wanted is None:
            pixels = self.engine.tile_pixels
            wanted = (width, height) if pixels is None else even_tile(width, height, pixels)
        highest, widest = self.engine.largest or (height, width)
        return min(self._roomy[0], wanted[0], widest), min(self._roomy[1], wanted[1], highest)


def _recorder_of(engine: Engine) -> Recorder | None:
    return None if engine.stream is None else Recorder()


def _check_process() -> None:
    """Remember the process that works; refuse another that was forked from it."""
    global _first_at_work
    if torch.get_num_threads() == 1:
        # It is the caller's own.
        return
    if _first_at_work is None:
        _first_at_work = os.getpid()
    elif _first_at_work != os.getpid():
        raise EmtcmError("PyTorch has worked before fork(); start processes by spawn or forkserver")


@contextmanager
def _stream_of(engine: Engine) -> Iterator[None]:
    # PyTorch would look for a GPU for no stream as well.
    if engine.stream is None:
        yield
        return
    # Without the first, the second would leave a context on GPU 0, whichever was used.
    with torch.cuda.device(engine.device), torch.cuda.stream(engine.stream):
        yield
