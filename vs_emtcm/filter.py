"""The VapourSynth filter: lanes of ModifyFrame around Upscaler."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import vapoursynth as vs

from vs_emtcm.engines import choose_device
from vs_emtcm.errors import EmtcmError, UsageError
from vs_emtcm.lanes import MOST_LANES, one_each
from vs_emtcm.models import is_whole
from vs_emtcm.planes import CHROMA_LOCATIONS, Color, Family, PixelFormat, Plane, Range
from vs_emtcm.upscaler import Upscaler

_log = logging.getLogger(__name__)

FAMILIES: Mapping[vs.ColorFamily, Family] = {vs.GRAY: "gray", vs.YUV: "yuv", vs.RGB: "rgb"}
ACCEPTED = "GRAY, YUV and RGB with 8 to 16 bit integer, half or single float samples"


def emtcm(
    clip: vs.VideoNode,
    scale: int = 2,
    *,
    model: str | os.PathLike[str] = "base",
    tune: str = "video",
    stages: int = 2,
    backend: str = "auto",
    device: str = "auto",
    device_index: int = 0,
    lanes: int | None = None,
    tile: int | tuple[int, int] | None = None,
) -> vs.VideoNode:
    """Upscale a clip 2x, 3x or 4x.

    Luma goes through the network, chroma is interpolated; the format stays what it is. The frame
    properties ``_Range``, ``_ColorRange`` and ``_ChromaLocation`` are honoured and passed on, with all
    others but ``_Alpha``: upscale an opacity as a clip of its own.

    Args:
        clip: constant format and size, progressive; GRAY, YUV or RGB, 8 to 16 bit integer, half or
            single float.
        scale: 2, 3 or 4.
        model: a shipped model's name or the path of a ``.safetensors`` weights file.
        tune: "video" for compressed or noisy sources, "clean" for sharp, uncompressed ones.
        stages: 2, or 1 for about twice the speed at a little less quality.
        backend: "auto", "tensorrt", "openvino", "openvino-bf16" or "torch".
        device: "auto", "cpu" or "cuda".
        device_index: which CUDA device.
        lanes: frames worked on at once; None chooses, fewer where memory is short. The result does not depend
            on it.
        tile: tile size in input pixels, (width, height) or one number for both; 0 never tiles, None
            chooses.

    Returns:
        The clip, ``scale`` times as wide and high.

    Raises:
        vs.Error: an argument or the clip is not among those accepted; "emtcm: ...".
    """
    try:
        format = clip_format(clip)
        if lanes is not None and (not is_whole(lanes) or not 1 <= lanes <= MOST_LANES):
            raise UsageError(f"lanes is {lanes!r}; accepted are None and 1 to {MOST_LANES}")
        upscaler = Upscaler(
            scale,
            model=model,
            tune=tune,
            stages=stages,
            backend=backend,
            device=numbered_device(device, device_index),
            tile=tile,
        )
        upscalers = one_each(upscaler, lanes, clip.num_frames)
    except EmtcmError as error:
        raise vs.Error(f"emtcm: {error}") from None

    count = len(upscalers)
    _log.info("emtcm: %s; frames at once: %d", upscaler.engine.description, count)
    canvas = clip.std.BlankClip(width=clip.width * scale, height=clip.height * scale, keep=True)

    def every(node: vs.VideoNode, lane: int) -> vs.VideoNode:
        # SelectEvery refuses a cycle of one.
        return node.std.SelectEvery(count, lane, modify_duration=False) if count > 1 else node

    parts = [
        every(canvas, lane).std.ModifyFrame(
            every(clip, lane), modify_frame(upscaler, format, canvas, lane, count)
        )
        for lane, upscaler in enumerate(upscalers)
    ]
    upscaled = vs.core.std.Interleave(parts, modify_duration=False)
    # Opacity that a source attaches to its frames would keep its size.
    return upscaled.std.CopyFrameProps(clip).std.RemoveFrameProps("_Alpha")


def numbered_device(device: str, index: int) -> str:
    """The name of the device with this index.

    Raises:
        UsageError: there is none, or the name does not go with an index.
    """
    if not is_whole(index) or index < 0:
        raise UsageError(f"device_index is {index!r}; accepted are numbers from 0")
    if index and device not in ("auto", "cuda"):
        choose_device(device)
        raise UsageError(f"device is {device!r} and device_index {index}; give one of them")
    return f"cuda:{index}" if device == "cuda" or index else device


def modify_frame(
    upscaler: Upscaler, format: PixelFormat, canvas: vs.VideoNode, lane: int, lanes: int
) -> Callable[[int, vs.VideoFrame], vs.VideoFrame]:
    """The callback of one lane; VapourSynth calls it for one frame at a time, from any of its threads."""
    # For every thread that it is used in, PyTorch keeps threads of its own, or memory of the GPU.
    own_thread = ThreadPoolExecutor(1, thread_name_prefix="emtcm")

    def modify(n: int, f: vs.VideoFrame) -> vs.VideoFrame:
        number = n * lanes + lane
        try:
            color = frame_color(f, format)
        except UsageError as error:
            raise vs.Error(f"emtcm: frame {number} {error}") from None
        target = vs.core.create_video_frame(canvas.format, canvas.width, canvas.height)
        work = own_thread.submit(upscaler.upscale_into, frame_planes(f), frame_planes(target), format, color)
        try:
            work.result()
        except EmtcmError as error:
            raise vs.Error(f"emtcm: frame {number}: {error}") from None
        return target

    return modify


def frame_planes(frame: vs.VideoFrame) -> list[Plane]:
    """Views of a frame's planes, writable where the frame is."""
    return [np.asarray(frame[i]) for i in range(frame.format.num_planes)]


def frame_color(frame: vs.VideoFrame, format: PixelFormat) -> Color:
    """What a frame's properties say of its samples.

    Raises:
        UsageError: it is interlaced or has a chroma location that does not exist.
    """
    props = frame.props
    if props.get("_FieldBased", 0):
        raise UsageError(
            f"is interlaced (_FieldBased is {props['_FieldBased']}); deinterlace the clip first, "
            "or remove a wrong flag with std.SetFieldBased(0)"
        )
    location = int(props.get("_ChromaLocation", 0))
    if not 0 <= location < len(CHROMA_LOCATIONS):
        raise UsageError(f"has _ChromaLocation {location}; accepted are 0 to 5")
    return Color(
        range=frame_range(props, "full" if format.family == "rgb" else "limited"),
        chroma_location=CHROMA_LOCATIONS[location],
    )


def frame_range(props: Mapping[str, object], default: Range) -> Range:
    """The range that the properties name: ``_Range``, or ``_ColorRange`` of older scripts."""
    if "_Range" in props:
        return "full" if props["_Range"] == 1 else "limited"
    if "_ColorRange" in props:
        return "full" if props["_ColorRange"] == 0 else "limited"
    return default


def clip_format(clip: vs.VideoNode) -> PixelFormat:
    """The clip's pixel format.

    Raises:
        UsageError: the clip is none, varies, or has a format that is not accepted.
    """
    if not isinstance(clip, vs.VideoNode):
        raise UsageError(f"clip is of type {type(clip).__name__}; give a VapourSynth video clip")
    if getattr(clip, "gpu_resident", False):
        raise UsageError("the clip's frames are on the GPU; bring them back with std.GPUDownload first")
    if clip.format is None or clip.format.id == 0:
        raise UsageError("the clip's format varies; convert it to one format with resize first")
    if clip.width == 0 or clip.height == 0:
        raise UsageError("the clip's size varies; bring it to one size with resize first")
    kind = clip.format
    if kind.color_family not in FAMILIES or (kind.bits_per_sample > 16 and kind.sample_type == vs.INTEGER):
        raise UsageError(f"the clip's format is {kind.name}; accepted are {ACCEPTED}")
    if max(kind.subsampling_w, kind.subsampling_h) > 2:
        raise UsageError(f"the clip's format is {kind.name}; accepted is subsampling up to 4:1:0")
    return PixelFormat(
        family=FAMILIES[kind.color_family],
        bits=kind.bits_per_sample,
        sample_type="integer" if kind.sample_type == vs.INTEGER else "float",
        subsampling=(kind.subsampling_w, kind.subsampling_h),
    )
