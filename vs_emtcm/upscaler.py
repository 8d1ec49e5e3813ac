"""The Upscaler: frames of numpy planes in, upscaled frames out, on the device of an engine."""

from __future__ import annotations

import copy
import os
import threading
from collections.abc import Iterator, Mapping, Sequence
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
from vs_emtcm.errors import EmtcmError, reason
from vs_emtcm.fork import check_process
from vs_emtcm.formats import Color, PixelFormat, Plane, check_planes, check_targets, with_bits
from vs_emtcm.pipeline import filled, upscaled_planes
from vs_emtcm.recorder import Recorder
from vs_emtcm.samples import deepened, to_samples
from vs_emtcm.tiles import checked_tile
from vs_emtcm.tiling import Tiling, no_host_memory
from vs_emtcm.transfer import HostBuffer, packed, pinned_is_faster, unpacked
from vs_emtcm.weights_file import fingerprint, load_weights


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
        scale: upscaling factor.
        engine: runs the network.
        recorder: records the work on a frame as a CUDA graph; None where the engine has no CUDA stream.
        provenance: everything that the result depends on besides the frames and their formats, by name.

    Samples that are infinite or not a number (NaN) spoil the result around them, as far as the network sees.

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
        # Small integers of numpy's would overflow where sizes are multiplied by them.
        scale, stages = int(scale), int(stages)
        self._tiling = Tiling(checked_tile(tile))
        self._at_work = threading.Lock()
        path = models.resolve(model, tune)
        weights = load_weights(path, scale)
        self.scale = scale
        self._denoises = weights.tune == "video"
        # Python drops attributes in the order in which they were set: a CUDA graph must go before the engine
        # whose memory it uses.
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
            "weights (of model and tune)": fingerprint(weights),
        }
        device_used = self.engine.device
        try:
            pinned = device_used.type == "cuda" and pinned_is_faster(device_used)
            self.host = HostBuffer(device_used, pinned=pinned)
        except RuntimeError as error:
            raise EmtcmError(f"device {str(device_used)!r} cannot be used: {reason(error)}") from error
        self.recorder = _recorder_of(self.engine)

    def another(self) -> Self:
        """Return an equal Upscaler for another thread; the two share the weights and TensorRT's engine.

        Raises:
            EmtcmError: the device has no room for it.
        """
        twin = copy.copy(self)
        twin._tiling = self._tiling.another()
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
            color: what they mean; None is the defaults of :class:`Color`.
            bits: bits per sample of the result, at least those of ``format``; None keeps them. More bits keep
                what 8 would round away of slow gradients.

        Returns:
            New planes of the result's format, ``scale`` times the size: (scale * H, scale * W). Chroma of
            an odd-sized picture is as large as the larger picture needs, its size rounded up.

        Raises:
            ValueError: number, kind, shape or dtype of the planes do not fit the format, or ``bits`` is less
                than it has.
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
            raise no_host_memory((height, width), self.scale) from error
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
        """Upscale one frame into existing arrays, such as the planes of a frame of another library.

        Args:
            planes: see :meth:`upscale`.
            targets: one writable array per plane of the result, of the shapes and the dtype that
                :meth:`upscale` returns. Any strides.
            format: see :meth:`upscale`.
            color: see :meth:`upscale`.
            bits: see :meth:`upscale`.

        Raises:
            ValueError: number, kind, shape or dtype of the planes do not fit the format, a target cannot be
                written to, ``bits`` is less than the format has, or ``color`` is no Color.
            EmtcmError: the device has no room for the picture, not even in tiles; this is at work in
                another thread; or PyTorch had worked with several threads before this process was forked.
        """
        check_planes(planes, format)
        if color is not None and not isinstance(color, Color):
            raise ValueError(f"color is {color!r}; give a Color, or None")
        height, width = planes[0].shape
        result = with_bits(format, bits)
        check_targets(targets, result, self.scale * height, self.scale * width)
        check_process()
        if not self._at_work.acquire(blocking=False):
            raise EmtcmError("this Upscaler is at work in another thread; give each its own, by another()")
        try:
            color = Color() if color is None else color
            work = partial(self._upscale_once, planes, targets, format, result, color)
            self._tiling.fit_memory(self.engine, (height, width), work, self._release)
        finally:
            self._at_work.release()

    def _release(self) -> None:
        """Give back the memory of the device that is kept between frames."""
        if self.recorder is not None:
            self.recorder.release()
        self.engine.release()

    def _upscale_once(
        self,
        planes: Sequence[Plane],
        targets: Sequence[Plane],
        format: PixelFormat,
        result: PixelFormat,
        color: Color,
    ) -> None:
        """Upscale a frame; when this fails, nothing of it stays on the device."""
        # The caller may have turned on autocast for its whole program.
        with torch.autocast(self.engine.device.type, enabled=False), _stream_of(self.engine):
            shapes = [plane.shape for plane in planes]
            sent = self.host.upload(planes)
            samples = partial(self._samples, shapes=shapes, format=format, result=result, color=color)
            if format.alpha:
                # Outside of the recorded work, because it waits for values.
                sources = unpacked(sent, shapes)
                sources = filled(sources, format, self.engine.radius, denoises=self._denoises)
                sent = packed(sources)
                del sources
            if self.recorder is None:
                for part, target in zip(samples(sent), targets, strict=True):
                    np.copyto(target, part[0, 0].numpy())
                return
            kind = *shapes, format, result, color, self._tiling.tile_size(self.engine, shapes[0])
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
        """Compute the samples (1, 1, H, W) of each plane of the result, one after the other.

        Args:
            sent: the samples of all planes on the device, see :func:`vs_emtcm.transfer.packed`.
            shapes: (H, W) of each plane.
            format: of the frame.
            result: format of the result.
            color: what the samples mean.
        """
        upscaled = upscaled_planes(
            unpacked(sent, shapes),
            format,
            color,
            partial(self._tiling.upscale, self.engine),
            scale=self.scale,
            denoises=self._denoises,
        )
        # Nothing here may hold a plane of code values while the next one is computed: they take up to four
        # times the memory of samples.
        for index in range(result.planes):
            plane = deepened(next(upscaled), index, format, result, color.range_in(format.family))
            yield to_samples(plane, result)
            del plane


def _recorder_of(engine: Engine) -> Recorder | None:
    return None if engine.stream is None else Recorder()


@contextmanager
def _stream_of(engine: Engine) -> Iterator[None]:
    """Make the engine's CUDA stream the current one; do nothing for an engine without one."""
    if engine.stream is None:
        # PyTorch would look for a GPU even where the stream is None.
        yield
        return
    # Without torch.cuda.device, torch.cuda.stream would leave a context on GPU 0, whichever GPU is used.
    with torch.cuda.device(engine.device), torch.cuda.stream(engine.stream):
        yield
