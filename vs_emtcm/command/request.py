"""The arguments of ``vs-emtcm upscale``."""

from __future__ import annotations

from dataclasses import dataclass

from vs_emtcm.upscaler import Upscaler


@dataclass(frozen=True, kw_only=True)
class Request:
    """The arguments of ``vs-emtcm upscale``; its help describes each."""

    source: str
    target: str
    scale: int
    model: str
    tune: str | None
    stages: int
    backend: str
    device: str
    codec: str | None
    crf: float | None
    preset: str | None
    pix_fmt: str | None
    encoder_option: tuple[str, ...]
    assume_progressive: bool
    quality: int | None
    lanes: int | None
    threads: int
    tile: int | None
    overwrite: bool
    skip_existing: bool
    resume: bool
    show_progress: bool


def make_upscaler(request: Request, tune: str) -> Upscaler:
    """Return the upscaler that a request asks for, and set the threads of the process.

    Args:
        request: the arguments of the command.
        tune: the tune of the model, "video" or "clean".

    Raises:
        UsageError: there is no such upscaler.
        EmtcmError: it does not work on the device.
    """
    import torch

    if request.threads:
        # The process is the command's own; the library never changes torch's settings.
        torch.set_num_threads(request.threads)
    return Upscaler(
        request.scale,
        model=request.model,
        tune=tune,
        stages=request.stages,
        backend=request.backend,
        device=request.device,
        tile=request.tile,
    )
