"""Run an engine over a frame in tiles: as asked, as the engine is fastest, and as memory has room for."""

from __future__ import annotations

import copy
import logging
import threading
from collections.abc import Callable
from typing import Self

from torch import Tensor

from vs_emtcm.engines.engine import Engine
from vs_emtcm.errors import EmtcmError, is_device_out_of_memory, is_host_out_of_memory
from vs_emtcm.mirror import mirrored
from vs_emtcm.tiles import Size, even_tile, spans

_log = logging.getLogger(__name__)
# Side, in pixels, down to which tiles are halved where memory is short; their features take a few megabytes.
SMALLEST_HALVED_TILE = 128


class Tiling:
    """The tiles of one Upscaler's frames.

    The memory limit holds for frames of one size, and is forgotten with the next size.

    Args:
        asked: (height, width) of the tiles that were asked for; (0, 0) never tiles, None lets the engine
            choose.
    """

    def __init__(self, asked: Size | None) -> None:
        self._asked = asked
        # (height, width) of the last frame, and of the largest tile that memory may have room for.
        self._frame: Size | None = None
        self._limit: Size | None = None
        # Set once the user has been warned; copies share it.
        self._warned = threading.Event()

    def another(self) -> Self:
        """Return a copy for another thread; the two warn of short memory once."""
        return copy.copy(self)

    def tile_size(self, engine: Engine, frame: Size) -> Size:
        """Return (height, width) of the tiles of a frame of this size."""
        if self._asked == (0, 0):
            tile = frame
        elif self._asked is not None:
            tile = self._asked
        elif engine.tile_pixels is None:
            tile = frame
        else:
            tile = even_tile(*frame, engine.tile_pixels)
        for limit in (self._limit, engine.largest):
            if limit is not None:
                tile = min(tile[0], limit[0]), min(tile[1], limit[1])
        return tile

    def upscale(self, engine: Engine, luma: Tensor) -> Tensor:
        """Upscale luma, mirrored at the edges of the picture, tile by tile.

        Args:
            engine: runs the network.
            luma: float32 (1, 1, H, W) network values.

        Returns:
            float32 (1, 1, scale * H, scale * W) network values.
        """
        radius, scale = engine.radius, engine.scale
        height, width = luma.shape[-2:]
        padded = mirrored(luma, radius)
        tile_height, tile_width = self.tile_size(engine, (height, width))
        if (tile_height, tile_width) == (height, width):
            return engine(padded)
        result = luma.new_empty((1, 1, scale * height, scale * width))
        for y, rows in spans(height, tile_height):
            for x, columns in spans(width, tile_width):
                part = padded[..., y : y + rows + 2 * radius, x : x + columns + 2 * radius]
                place = (
                    slice(scale * y, scale * (y + rows)),
                    slice(scale * x, scale * (x + columns)),
                )
                result[..., *place] = engine(part)
        return result

    def fit_memory(
        self, engine: Engine, frame: Size, work: Callable[[], None], release: Callable[[], None]
    ) -> None:
        """Do the work of a frame, and repeat it in smaller tiles while the device has no room for it.

        Args:
            engine: on whose device the work is done.
            frame: (height, width).
            work: upscales the frame by :meth:`upscale`; it holds nothing on the device when it fails.
            release: gives back the memory that is kept between frames.

        Raises:
            EmtcmError: there is no room even for small tiles, or not on the host.
        """
        if self._frame != frame:
            self._frame, self._limit = frame, None
        released = False
        while True:
            try:
                work()
                return
            except (RuntimeError, MemoryError) as error:
                if engine.device.type == "cpu" and is_host_out_of_memory(error):
                    raise no_host_memory(frame, engine.scale) from error
                if not is_device_out_of_memory(error):
                    raise
            # After the handler, which would keep the tensors of the failed work alive. What is kept for other
            # sizes may be all that is in the way, so that the first repetition has tiles of the same size.
            release()
            if released:
                self._halve(engine, frame)
            released = True

    def _halve(self, engine: Engine, frame: Size) -> None:
        """Limit this frame, and those of its size after it, to tiles of half the height and width.

        Raises:
            EmtcmError: they are small already.
        """
        height, width = frame
        tile_height, tile_width = self.tile_size(engine, frame)
        if max(tile_height, tile_width) <= SMALLEST_HALVED_TILE:
            raise EmtcmError(
                f"device {str(engine.device)!r} has no room for {width}x{height} pixels at "
                f"{engine.scale}x, not even in tiles; use device 'cpu' or a smaller scale"
            )
        self._limit = (
            max(min(tile_height, SMALLEST_HALVED_TILE), tile_height // 2),
            max(min(tile_width, SMALLEST_HALVED_TILE), tile_width // 2),
        )
        if not self._warned.is_set():
            _log.warning(
                "emtcm: not enough GPU memory for %dx%d pixels at once; going on in tiles, "
                "with the same result; fewer lanes or a tile size avoid this",
                tile_width,
                tile_height,
            )
        self._warned.set()


def no_host_memory(frame: Size, scale: int) -> EmtcmError:
    """Return the error that says that a frame of (height, width) does not fit into the host's memory."""
    height, width = frame
    return EmtcmError(
        f"there is no memory for {width}x{height} pixels at {scale}x; a smaller scale takes less"
    )
