"""Timings: bare networks, transfers, whole frames and the filter, in frames per second."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from functools import partial
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from scripts.gpu_checks.engines import engines_of, read_weights, run, synchronize, with_border
from scripts.gpu_checks.pictures import noise_frame, texture
from scripts.gpu_checks.session import Session
from vs_emtcm.engines.engine import Engine
from vs_emtcm.models import SCALES, SHIPPED
from vs_emtcm.recorder import Recorder
from vs_emtcm.transfer import HostBuffer, pinned_is_faster
from vs_emtcm.weights_file import Weights

if TYPE_CHECKING:
    from vs_emtcm.upscaler import Upscaler

# Numbers of lanes that are timed.
LANES = (1, 2, 4)
# Numbers of pictures in one batch that are timed, with two stages of "base" alone.
BATCHES = (1, 2, 4)
# Calls before a timing begins: the second of a size records a CUDA graph.
WARM_UP_CALLS = 3
# Calls of an engine between two looks at the clock, which wait for the device.
CALLS_PER_LOOK = 4
# Copies in the measurement of bandwidth, and the bytes of each on a GPU and on the CPU.
COPIES = 20
COPY_BYTES = {"cuda": 1 << 28, "cpu": 1 << 24}


def copy_bandwidth(device: torch.device) -> float:
    """Measure how many bytes a plain copy on the device reads and writes per second."""
    source = torch.empty(COPY_BYTES[device.type], dtype=torch.uint8, device=device)
    target = torch.empty_like(source)
    target.copy_(source)
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    began = time.perf_counter()
    for _ in range(COPIES):
        target.copy_(source)
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return 2 * COPIES * source.numel() / (time.perf_counter() - began)


def time_networks(session: Session, bandwidth: float) -> list[dict[str, Any]]:
    """Time every bare network.

    Args:
        session: of this run.
        bandwidth: see :func:`copy_bandwidth`.
    """
    rows = []
    print("\nbare network: engine, model, scale, stages, input, batch: fps, share of copy bandwidth")
    cases = product((m for m in SHIPPED if m.tune == "video"), SCALES, (1, 2))
    for model, scale, stages in session.while_time("bare networks", cases):
        weights = read_weights(model.path, scale)
        engines = engines_of(session, "bare network of", model, weights, stages)
        for (kind, engine), (label, size) in product(engines.items(), session.sizes.items()):
            batches = BATCHES if (kind, model.name, stages) == ("torch", "base", 2) else (1,)
            for batch in batches:
                what = f"{kind} {model.name} x{scale} {stages} {label} {batch}"
                with session.attempt(what):
                    fps = network_fps(engine, size, session.seconds, batch)
                    share = fps * layer_traffic(weights, stages, size) / bandwidth
                    rows.append(
                        {
                            "engine": kind,
                            "model": model.name,
                            "scale": scale,
                            "stages": stages,
                            "size": label,
                            "batch": batch,
                            "fps": fps,
                            "share": share,
                        }
                    )
                    print(f"{what}: {fps:.1f} fps, {share:.2f}")
                # A small card has no room for all sizes at once.
                engine.release()
    return rows


def network_fps(engine: Engine, size: tuple[int, int], seconds: float, batch: int = 1) -> float:
    """Time a network whose input is on the device already.

    Args:
        engine: runs the network.
        size: (height, width) of the input.
        seconds: at least so long.
        batch: pictures per call.
    """
    x = with_border(texture(*size), engine).repeat(batch, 1, 1, 1)
    work: Callable[[Tensor], Tensor] = engine
    if engine.stream is not None:
        work = partial(Recorder(), "all", work=engine)
    for _ in range(WARM_UP_CALLS):
        run(engine, x, work)
    synchronize(engine)
    began, frames = time.perf_counter(), 0
    while frames == 0 or time.perf_counter() - began < seconds:
        for _ in range(CALLS_PER_LOOK):
            run(engine, x, work)
        synchronize(engine)
        frames += CALLS_PER_LOOK * batch
    return frames / (time.perf_counter() - began)


def layer_traffic(weights: Weights, stages: int, size: tuple[int, int]) -> float:
    """Count the bytes that the layers read and write for one frame if each is run on its own, in float16."""
    shape = weights.shape
    c, r2 = shape.channels, weights.scale**2
    planes = 1 + c + shape.stage1 * 2 * c + c + 2 * r2
    if stages == 2:
        planes += c + r2 + c + (shape.stage2 - 1) * 2 * c + c + 2 * r2
    return 2.0 * planes * size[0] * size[1]


def time_transfers(session: Session) -> list[dict[str, Any]]:
    """Time frames to the device and back, through page-locked and through ordinary memory."""
    device, rows = session.device, []
    print("\ntransfers alone: scale, input, memory, lanes: fps")
    if device.type == "cuda":
        with session.attempt("transfers"):
            memory = "page-locked" if pinned_is_faster(device) else "ordinary"
            print(f"frames go through {memory} memory here")
    kinds = (True, False) if device.type == "cuda" else (False,)
    cases = product(SCALES, session.sizes.items(), kinds, LANES)
    for scale, (label, size), pinned, lanes in session.while_time("transfers", cases):
        what = f"x{scale} {label} {'page-locked' if pinned else 'ordinary'} {lanes}"
        with session.attempt(f"transfers {what}"):
            fps = lanes_fps([transfer(device, scale, size, pinned) for _ in range(lanes)], session.seconds)
            rows.append({"scale": scale, "size": label, "pinned": pinned, "lanes": lanes, "fps": fps})
            print(f"{what}: {fps:.1f} fps")
    return rows


def transfer(device: torch.device, scale: int, size: tuple[int, int], pinned: bool) -> Callable[[], None]:
    """Return a function that sends a frame to the device and gets one of the larger size back.

    Nothing is computed.

    Args:
        device: where the frame goes.
        scale: upscaling factor.
        size: (height, width) of the smaller frame.
        pinned: through page-locked memory.
    """
    buffer = HostBuffer(device, pinned=pinned)
    stream = torch.cuda.Stream(device) if device.type == "cuda" else None  # type: ignore[no-untyped-call]
    planes, targets = noise_frame(*size), noise_frame(size[0] * scale, size[1] * scale)
    results = torch.from_numpy(np.concatenate([target.ravel() for target in targets])).to(device)

    def work() -> None:
        with torch.cuda.stream(stream):
            buffer.upload(planes)
            buffer.download(results, targets)

    return work


def time_frames(session: Session) -> list[dict[str, Any]]:
    """Time whole frames of ``base`` with two stages, from the host and back."""
    from vs_emtcm.upscaler import Upscaler

    rows = []
    print("\nwhole frames, host to host: scale, input, lanes: fps")
    cases = product(SCALES, session.sizes.items(), LANES)
    for scale, (label, size), lanes in session.while_time("whole frames", cases):
        what = f"x{scale} {label} {lanes}"
        with session.attempt(f"whole frames {what}"):
            first = Upscaler(scale, backend="torch", device=session.device.type)
            upscalers = [first, *(first.another() for _ in range(lanes - 1))]
            fps = lanes_fps([whole_frame(upscaler, size) for upscaler in upscalers], session.seconds)
            rows.append({"scale": scale, "size": label, "lanes": lanes, "fps": fps})
            print(f"{what}: {fps:.1f} fps")
    return rows


def whole_frame(upscaler: Upscaler, size: tuple[int, int]) -> Callable[[], None]:
    """Return a function that upscales one 8-bit 4:2:0 frame of a size (height, width), host to host."""
    from vs_emtcm.formats import PixelFormat

    planes, format = noise_frame(*size), PixelFormat(family="yuv", subsampling=(1, 1))
    targets = noise_frame(size[0] * upscaler.scale, size[1] * upscaler.scale)
    return lambda: upscaler.upscale_into(planes, targets, format)


def lanes_fps(lanes: list[Callable[[], None]], seconds: float) -> float:
    """Time several lanes together, each in a thread of its own.

    Args:
        lanes: what each does for one frame.
        seconds: at least so long.
    """
    for frame in lanes:
        for _ in range(WARM_UP_CALLS):
            frame()
    counts = [0] * len(lanes)
    began = time.perf_counter()

    def repeat(lane: int) -> None:
        while counts[lane] == 0 or time.perf_counter() - began < seconds:
            lanes[lane]()
            counts[lane] += 1

    threads = [threading.Thread(target=repeat, args=(lane,)) for lane in range(len(lanes))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(counts) / (time.perf_counter() - began)


def overlap(report: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Relate whole frames to the slower of network and transfers alone; 1 is a perfect overlap.

    Args:
        report: the rows of :func:`time_networks`, :func:`time_transfers` and :func:`time_frames` as
            "network", "transfers" and "frames".
    """
    rows = []
    print("\nwhole frames / slower of network and transfers alone")
    for scale, size in dict.fromkeys((row["scale"], row["size"]) for row in report["frames"]):
        case = {"scale": scale, "size": size}
        network = _best_fps(report["network"], engine="torch", model="base", stages=2, **case)
        slower = min(network, _best_fps(report["transfers"], **case))
        if not slower:
            continue
        share = _best_fps(report["frames"], **case) / slower
        rows.append({**case, "share": share})
        print(f"x{scale} {size}: {share:.2f}")
    return rows


def _best_fps(rows: list[dict[str, Any]], **wanted: Any) -> float:
    """Return the most frames per second of the rows that have all wanted values; 0 if there are none."""
    found = [row["fps"] for row in rows if all(row.get(key) == value for key, value in wanted.items())]
    return max(found, default=0.0)


def time_filter(session: Session) -> list[dict[str, Any]]:
    """Time the VapourSynth filter with every model and both numbers of stages."""
    rows = []
    print("\nVapourSynth filter: model, scale, stages, input, lanes: fps")
    cases = product(("base", "large"), SCALES, (1, 2), session.sizes.items(), LANES)
    for model, scale, stages, (label, size), lanes in session.while_time("the filter", cases):
        what = f"{model} x{scale} {stages} {label} {lanes}"
        with session.attempt(f"the filter {what}"):
            fps = filter_fps(session, size, model=model, scale=scale, stages=stages, lanes=lanes)
            row = {
                "model": model,
                "scale": scale,
                "stages": stages,
                "size": label,
                "lanes": lanes,
                "fps": fps,
            }
            rows.append(row)
            print(f"{what}: {fps:.1f} fps")
    return rows


def filter_fps(
    session: Session, size: tuple[int, int], *, model: str, scale: int, stages: int, lanes: int
) -> float:
    """Time the VapourSynth filter on a blank 8-bit 4:2:0 clip of a size (height, width)."""
    import vapoursynth as vs

    from vs_emtcm import emtcm

    height, width = size
    clip = vs.core.std.BlankClip(
        width=width, height=height, format=vs.YUV420P8, length=1 << 20, keep=True, color=[90, 128, 128]
    )
    device = session.device.type
    clip = emtcm(clip, scale, model=model, stages=stages, backend="torch", device=device, lanes=lanes)
    frames = clip.frames(prefetch=2 * lanes, close=True)
    for _ in range(4 * lanes):
        next(frames)
    began, count = time.perf_counter(), 0
    while count == 0 or time.perf_counter() - began < session.seconds:
        next(frames)
        count += 1
    taken = time.perf_counter() - began
    frames.close()
    return count / taken
