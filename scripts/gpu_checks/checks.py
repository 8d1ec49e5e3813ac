"""Checks: engines and whole frames against the CPU, and the filter and video files against ``Upscaler``."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from scripts.gpu_checks.engines import engines_of, read_weights, run, run_to_cpu, with_border
from scripts.gpu_checks.pictures import texture, textured_frame
from scripts.gpu_checks.session import Session, present
from vs_emtcm.engines.cpu_engine import CpuEngine
from vs_emtcm.engines.engine import Engine
from vs_emtcm.models import SCALES, SHIPPED

if TYPE_CHECKING:
    import av
    import vapoursynth as vs

    from vs_emtcm.formats import PixelFormat, Plane
    from vs_emtcm.upscaler import Upscaler

# Largest difference to the CPU of an engine's result, in whole 8-bit code values.
ENGINE_MAX_CODES = 2
# Share of an engine's pixels that must be within one 8-bit code value of the CPU's.
ENGINE_WITHIN_1_CODE = 0.999
# Largest difference to the CPU of a sample of a whole frame, in 8-bit code values.
FRAME_MAX_CODES = 4.0
# Share of the samples of a whole frame that may be more than one 8-bit code value from the CPU's.
FRAME_OVER_1_CODE = 1e-3
# Frames of the film that goes through the filter and a video file.
FILM_FRAMES = 12


def check_engines(session: Session) -> list[dict[str, Any]]:
    """Compare every engine of every model with the CPU's."""
    rows = []
    print("\nengine   model        x stages  max err  mean err   PSNR  <=1 code  finite")
    cases = product(SHIPPED, SCALES, (1, 2))
    for model, scale, stages in session.while_time("correctness", cases):
        weights, name = read_weights(model.path, scale), f"{model.name}-{model.tune}"
        engines = engines_of(session, "correctness of", model, weights, stages, fatal=True)
        for kind, engine in engines.items():
            with session.attempt(f"correctness of {kind} {name} {scale} {stages}", fatal=True):
                found = engine_differences(engine, CpuEngine(weights, stages), session.checked)
                rows.append({"engine": kind, "model": name, "scale": scale, "stages": stages, **found})
                print(
                    f"{kind:8} {name:12} {scale} {stages}      {found['max_error']:8.3f} "
                    f"{found['mean_error']:9.4f} {found['psnr']:6.1f} {found['within_1_code']:9.5f}  "
                    f"{found['finite']}"
                )
    return rows


def engine_differences(engine: Engine, reference: Engine, size: tuple[int, int]) -> dict[str, float]:
    """Measure the differences between two engines of a network, in 8-bit code values.

    Returns:
        Largest and mean error, PSNR in dB, share of the pixels within one code value and largest difference
        after rounding, and whether pictures far out of range have finite results.
    """
    picture = texture(*size)
    expected = run(reference, with_border(picture, reference)) * 255
    result = run_to_cpu(engine, with_border(picture, engine)) * 255
    error = (result - expected).abs()
    codes = (result.round() - expected.round()).abs()
    mse = float((result - expected).square().mean())
    finite = True
    for extreme in (torch.zeros_like(picture), torch.ones_like(picture) * 2, (picture > 0.5) * 4.0 - 1.5):
        finite &= bool(run_to_cpu(engine, with_border(extreme, engine)).isfinite().all())
    return {
        "max_error": float(error.max()),
        "mean_error": float(error.mean()),
        "psnr": 10 * float(np.log10(255**2 / max(mse, 1e-12))),
        "within_1_code": float((codes <= 1).float().mean()),
        "max_codes": float(codes.max()),
        "finite": finite,
    }


def check_frames(session: Session) -> list[dict[str, Any]]:
    """Compare whole frames of every kind of format with the CPU's, and between several lanes."""
    from vs_emtcm.formats import PixelFormat
    from vs_emtcm.upscaler import Upscaler

    formats = {
        "4:2:0, 8 bits": PixelFormat(family="yuv", subsampling=(1, 1)),
        "4:2:0, 10 bits": PixelFormat(family="yuv", bits=10, subsampling=(1, 1)),
        "4:2:2, 16 bits": PixelFormat(family="yuv", bits=16, subsampling=(1, 0)),
        "4:4:4, single": PixelFormat(family="yuv", bits=32, sample_type="float"),
        "RGB, half": PixelFormat(family="rgb", bits=16, sample_type="float"),
        "RGB with alpha, 8 bits": PixelFormat(family="rgb", alpha=True),
        "grey, 8 bits": PixelFormat(family="gray"),
    }
    rows = []
    print(
        "\nwhole frames against the CPU: tune, scale, format: max 8-bit codes off, share over 1, lanes agree"
    )
    # Odd sizes, which neither subsampling nor tiles divide.
    height, width = session.checked[0] | 1, session.checked[1] | 1
    for tune, scale in session.while_time("frames", product(("video", "clean"), SCALES)):
        with session.attempt(f"frames of {tune} x{scale}", fatal=True):
            upscaler, reference = (
                Upscaler(scale, tune=tune, backend="torch", device=device)
                for device in (session.device.type, "cpu")
            )
            for name, format in formats.items():
                what = f"{tune} x{scale} {name}"
                with session.attempt(f"frames of {what}", fatal=True):
                    planes = textured_frame(format, height, width)
                    found = frame_differences(upscaler, reference, planes, format)
                    rows.append({"what": what, **found})
                    most, over, same = found.values()
                    print(f"{what}: {most:.2f}, {over:.6f}, {same}")
    return rows


def frame_differences(
    upscaler: Upscaler, reference: Upscaler, planes: list[Plane], format: PixelFormat
) -> dict[str, float]:
    """Measure how far the result of a frame is from another's, and between lanes.

    Returns:
        Largest difference in 8-bit code values, share of the samples that are more than one code value off,
        and whether lanes give the same bits.
    """
    results, expected = upscaler.upscale(planes, format), reference.upscale(planes, format)
    code = 1 / 219 if format.sample_type == "float" else 1 << (format.bits - 8)
    pairs = zip(results, expected, strict=True)
    error = np.concatenate([np.abs(a.astype(np.float64) - b).ravel() / code for a, b in pairs])
    return {
        "max_codes": float(error.max()),
        "over_1_code": float((error > 1).mean()),
        "lanes_agree": lanes_agree(upscaler, planes, format, results),
    }


def lanes_agree(
    upscaler: Upscaler, planes: list[Plane], format: PixelFormat, expected: tuple[Plane, ...]
) -> bool:
    """Tell whether four lanes that work at once give the bits of one; on a GPU each records a CUDA graph."""
    lanes = [upscaler, *(upscaler.another() for _ in range(3))]
    with ThreadPoolExecutor(len(lanes)) as pool:
        found = pool.map(lambda lane: [lane.upscale(planes, format) for _ in range(3)], lanes)
        same = all(same_bits(result, expected) for results in found for result in results)
    # A lane that could not record a graph gives the right bits as well, but is slow.
    return same and all(lane.recorder is None or lane.recorder.recorded for lane in lanes)


def same_bits(planes: Sequence[Plane], expected: Sequence[Plane]) -> bool:
    """Tell whether two frames are equal."""
    return all(np.array_equal(a, b) for a, b in zip(planes, expected, strict=True))


def check_front_ends(session: Session) -> list[dict[str, Any]]:
    """Compare the bits of the filter and of video files with those of ``Upscaler``."""
    from vs_emtcm.formats import PixelFormat
    from vs_emtcm.upscaler import Upscaler

    rows = []
    format = PixelFormat(family="yuv", subsampling=(1, 1))
    height, width = (size & ~1 for size in session.checked)
    film = [textured_frame(format, height, width, shift) for shift in range(FILM_FRAMES)]
    front_ends: dict[str, Callable[[list[list[Plane]], Upscaler], Sequence[Sequence[Plane]]]] = {}
    if present("vapoursynth"):
        front_ends["the filter"] = upscaled_by_filter
    if present("av"):
        front_ends["video files"] = upscaled_in_a_file
    print("\nthe front ends: bits of Upscaler")
    for name, upscale in session.while_time("front ends", front_ends.items()):
        with session.attempt(f"frames of {name}", fatal=True):
            upscaler = Upscaler(2, backend="torch", device=session.device.type)
            found, expected = upscale(film, upscaler), [upscaler.upscale(planes, format) for planes in film]
            same = len(found) == len(expected) and all(map(same_bits, found, expected))
            rows.append({"what": name, "frames": len(found), "same": same})
            print(f"{name}: {same}")
    return rows


def upscaled_by_filter(film: list[list[Plane]], upscaler: Upscaler) -> list[list[Plane]]:
    """Upscale 8-bit 4:2:0 frames with the VapourSynth filter, in four lanes."""
    import vapoursynth as vs

    from vs_emtcm import emtcm

    def fill(n: int, f: vs.VideoFrame) -> vs.VideoFrame:
        target = f.copy()
        for index, plane in enumerate(film[n]):
            np.copyto(np.asarray(target[index]), plane)
        return target

    height, width = film[0][0].shape
    blank = vs.core.std.BlankClip(width=width, height=height, format=vs.YUV420P8, length=len(film))
    clip = blank.std.ModifyFrame(blank, fill)
    clip = emtcm(clip, upscaler.scale, backend="torch", device=upscaler.engine.device.type, lanes=4)
    return [[np.asarray(plane).copy() for plane in frame] for frame in clip.frames(close=True)]


def samples_of(plane: av.video.plane.VideoPlane) -> NDArray[np.uint8]:
    """Return the samples of an 8-bit plane of PyAV, without the padding of its lines."""
    return np.frombuffer(plane, np.uint8).reshape(plane.height, plane.line_size)[:, : plane.width]


def upscaled_in_a_file(film: list[list[Plane]], upscaler: Upscaler) -> list[list[Plane]]:
    """Upscale a video file of 8-bit 4:2:0 frames in four lanes; both files are lossless."""
    import av

    from vs_emtcm.video import VideoSettings, upscale_video
    from vs_emtcm.video.encoder import EncoderSettings

    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder, "film.mkv"), Path(folder, "film-2x.mkv")
        with av.open(str(source), "w") as container:
            stream = container.add_stream("ffv1", rate=25)
            stream.height, stream.width = film[0][0].shape
            stream.pix_fmt = "yuv420p"
            for planes in film:
                frame = av.VideoFrame(stream.width, stream.height, "yuv420p")
                for target_plane, plane in zip(frame.planes, planes, strict=True):
                    samples_of(target_plane)[:] = plane
                container.mux(stream.encode(frame))
            container.mux(stream.encode())
        settings = VideoSettings(encoder=EncoderSettings(codec="ffv1"), lanes=4)
        upscale_video(source, target, upscaler, settings)
        with av.open(str(target)) as container:
            return [[samples_of(plane) for plane in frame.planes] for frame in container.decode(video=0)]


def all_correct(
    session: Session,
    engines: Sequence[Mapping[str, Any]],
    frames: Iterable[Mapping[str, Any]],
    front_ends: Iterable[Mapping[str, Any]],
) -> bool:
    """Judge the rows of :func:`check_engines`, :func:`check_frames` and :func:`check_front_ends`.

    It takes one engine that was checked, and no check that failed to run; NaN is never correct.
    """
    return (
        bool(engines)
        and not any(skipped.fatal for skipped in session.skipped)
        and all(
            row["finite"]
            and row["within_1_code"] >= ENGINE_WITHIN_1_CODE
            and row["max_codes"] <= ENGINE_MAX_CODES
            for row in engines
        )
        and all(
            row["max_codes"] <= FRAME_MAX_CODES
            and row["over_1_code"] <= FRAME_OVER_1_CODE
            and row["lanes_agree"]
            for row in frames
        )
        and all(row["same"] for row in front_ends)
    )
