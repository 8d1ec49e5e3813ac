"""The VapourSynth filter: one ModifyFrame around an Upscaler for each lane, interleaved."""

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

# The families of VapourSynth that are accepted.
FAMILIES: Mapping[vs.ColorFamily, Family] = {vs.GRAY: "gray", vs.YUV: "yuv", vs.RGB: "rgb"}
# Formats that are accepted, for messages.
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
        """Return the frames of one lane."""
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
    """Join the arguments ``device`` and ``device_index`` into the name of one device.

    Raises:
        UsageError: the index is no number from 0, or the name does not go with it.
    """
    if not is_whole(index) or index < 0:
        raise UsageError(f"device_index is {index!r}; accepted are numbers from 0")
    if index and device not in ("auto", "cuda"):
        # This refuses a name that no device has, in words of its own.
        choose_device(device)
        raise UsageError(f"device is {device!r} and device_index {index}; give one of them")
    return f"cuda:{index}" if device == "cuda" or index else device


def modify_frame(
    upscaler: Upscaler, format: PixelFormat, canvas: vs.VideoNode, lane: int, lanes: int
) -> Callable[[int, vs.VideoFrame], vs.VideoFrame]:
    """Make the callback of one lane.

    VapourSynth calls it for one frame at a time, from any of its threads.

    Args:
        upscaler: used by this lane alone.
        format: of the clip.
        canvas: a clip of the format and size of the result.
        lane: number of the lane, from 0; its frame n is frame n * lanes + lane of the clip.
        lanes: how many there are.
    """
    # PyTorch keeps worker threads, or memory of the GPU, for every thread that it is used in.
    own_thread = ThreadPoolExecutor(1, thread_name_prefix="emtcm")

    def modify(n: int, f: vs.VideoFrame) -> vs.VideoFrame:
        number = n * lanes + lane
        try:
            color = vs_frame_color(f, format)
        except UsageError as error:
            raise vs.Error(f"emtcm: frame {number} {error}") from None
        target = vs.core.create_video_frame(canvas.format, canvas.width, canvas.height)
        work = own_thread.submit(
            upscaler.upscale_into, vs_frame_planes(f), vs_frame_planes(target), format, color
        )
        try:
            work.result()
        except EmtcmError as error:
            raise vs.Error(f"emtcm: frame {number}: {error}") from None
        # Not std.CopyFrameProps: it requests frames of the clip early, so that they would be made twice.
        # "_Alpha" is a frame, which would keep its old size.
        target.props.update({name: value for name, value in f.props.items() if name != "_Alpha"})
        return target

    return modify


def vs_frame_planes(frame: vs.VideoFrame) -> list[Plane]:
    """Return views of a frame's planes, writable where the frame is."""
    return [np.asarray(frame[i]) for i in range(frame.format.num_planes)]


def vs_frame_color(frame: vs.VideoFrame, format: PixelFormat) -> Color:
    """Read from a frame's properties what its samples mean.

    Raises:
        UsageError: the frame is interlaced, or has a range or chroma location that does not exist.
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
    """Read the range from a frame's properties: ``_Range``, or ``_ColorRange`` of older scripts.

    Args:
        props: of the frame.
        default: the range where neither is there.

    Raises:
        UsageError: the property has a value that does not exist.
    """
    full = frame_number(props, "_Range", range(2))
    if full is not None:
        return "full" if full else "limited"
    limited = frame_number(props, "_ColorRange", range(2))
    if limited is not None:
        return "limited" if limited else "full"
    return default


def frame_number(props: Mapping[str, object], name: str, accepted: Sequence[int]) -> int | None:
    """Read a number from a frame's properties; of several values the first counts, as in VapourSynth itself.

    Args:
        props: of the frame.
        name: of the property.
        accepted: consecutive numbers that it may have.

    Returns:
        The number, or None if there is no such property.

    Raises:
        UsageError: the value is not accepted.
    """
    # Not by get(): newer cores warn of every access to _ColorRange, even where it is missing.
    if name not in props:
        return None
    value = props[name]
    if isinstance(value, list) and value:
        value = value[0]
    if isinstance(value, int) and value in accepted:
        return value
    raise UsageError(f"has {name} {value!r}; accepted are {accepted[0]} to {accepted[-1]}")


def clip_format(clip: vs.VideoNode) -> PixelFormat:
    """Return the clip's pixel format.

    Raises:
        UsageError: this is no clip, its format or size varies, or its format is not accepted.
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
