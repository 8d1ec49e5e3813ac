"""The VapourSynth filter: lanes of ModifyFrame around Upscaler."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import vapoursynth as vs

from vs_emtcm.engines import choose_device
from vs_emtcm.errors import EmtcmError, UsageError
from vs_emtcm.formats import CHROMA_LOCATIONS, Color, Family, PixelFormat, Plane, Range
from vs_emtcm.lanes import check_lanes, make_lanes
from vs_emtcm.upscaler import Upscaler
from vs_emtcm.whole import is_whole

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
        device: "auto", "cpu", "cuda" or "cuda:N".
        device_index: which CUDA device; another way to say "cuda:N".
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
        check_lanes(lanes)
        upscaler = Upscaler(
            scale,
            model=model,
            tune=tune,
            stages=stages,
            backend=backend,
            device=numbered_device(device, device_index),
            tile=tile,
        )
        upscalers = make_lanes(upscaler, lanes, clip.num_frames)
    except EmtcmError as error:
        raise vs.Error(f"emtcm: {error}") from None

    count, scale = len(upscalers), upscaler.scale
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
    return vs.core.std.Interleave(parts, modify_duration=False)


def numbered_device(device: str, index: int) -> str:
    """The name of the device with this index.

    Raises:
        UsageError: there is none, or the name does not go with an index.
    """
    if not is_whole(index) or index < 0:
        raise UsageError(f"device_index is {index!r}; accepted are numbers from 0")
    if index and device not in ("auto", "cuda"):
        # Of a name that no device has, it says so.
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
        # std.CopyFrameProps would ask for the clip's frames early, and they would be made twice. "_Alpha" is
        # left out because it would keep its old size.
        target.props.update({name: value for name, value in f.props.items() if name != "_Alpha"})
        return target

    return modify


def frame_planes(frame: vs.VideoFrame) -> list[Plane]:
    """Views of a frame's planes, writable where the frame is."""
    return [np.asarray(frame[i]) for i in range(frame.format.num_planes)]


def frame_color(frame: vs.VideoFrame, format: PixelFormat) -> Color:
    """What a frame's properties say of its samples.

    Raises:
        UsageError: it is interlaced, or has a range or chroma location that does not exist.
    """
    props = frame.props
    fields = frame_number(props, "_FieldBased", range(3)) or 0
    if fields:
        raise UsageError(
            f"is interlaced (_FieldBased is {fields}); deinterlace the clip first, "
            "or remove a wrong flag with std.SetFieldBased(0)"
        )
    location = frame_number(props, "_ChromaLocation", range(len(CHROMA_LOCATIONS))) or 0
    return Color(
        range=frame_range(props, "full" if format.family == "rgb" else "limited"),
        chroma_location=CHROMA_LOCATIONS[location],
    )


def frame_range(props: Mapping[str, object], default: Range) -> Range:
    """The range that the properties name: ``_Range``, or ``_ColorRange`` of older scripts.

    Raises:
        UsageError: they name none that there is.
    """
    full = frame_number(props, "_Range", range(2))
    if full is not None:
        return "full" if full else "limited"
    limited = frame_number(props, "_ColorRange", range(2))
    if limited is not None:
        return "limited" if limited else "full"
    return default


def frame_number(props: Mapping[str, object], name: str, accepted: Sequence[int]) -> int | None:
    """A property, of several values the first as the core takes it, or None if it is not there.

    Raises:
        UsageError: it is none of those accepted.
    """
    # Newer cores warn of whoever looks at _ColorRange, there or not.
    if name not in props:
        return None
    value = props[name]
    if isinstance(value, list) and value:
        value = value[0]
    if isinstance(value, int) and value in accepted:
        return value
    raise UsageError(f"has {name} {value!r}; accepted are {accepted[0]} to {accepted[-1]}")


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
