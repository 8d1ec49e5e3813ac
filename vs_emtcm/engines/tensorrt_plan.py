"""Which TensorRT engine belongs to a network: the same one ahead of time and where it runs."""

from __future__ import annotations

from dataclasses import dataclass

from torch import nn

from trt_build import EngineSpec, Profile, engine_spec
from trt_build.profile import LARGEST
from vs_emtcm.engines.load import load_network
from vs_emtcm.errors import UsageError
from vs_emtcm.network import DetailNetwork
from vs_emtcm.weights_file import Weights

# Sizes of pictures without their borders, (height, width) in pixels, that backend "tensorrt" has engines for:
# most people have 1080p; larger pictures are cut into tiles, smaller ones are padded.
PROFILE = Profile(minimum=(16, 16), optimum=(1080, 1920), maximum=(2304, 4096))
# The smallest accepted height and width: PyTorch's tracer takes a size of one for a constant.
SMALLEST = 2


@dataclass(frozen=True, kw_only=True)
class EnginePlan:
    """A TensorRT engine of a network, before it is built.

    Attributes:
        module: the network that it is built of, float32, on the CPU.
        radius: border of the module's input, in pixels on each side.
        spec: of the engine.
    """

    module: nn.Module
    radius: int
    spec: EngineSpec


def plan_engine(
    weights: Weights,
    stages: int,
    *,
    model: str,
    profile: Profile = PROFILE,
    precision: str = "fp16",
    targets: tuple[str, ...] | None = None,
) -> EnginePlan:
    """Plan the TensorRT engine of a network; nothing is built.

    Args:
        weights: of one scale.
        stages: 1 or 2.
        model: the model's name, for the label of the engine.
        profile: sizes of the pictures, without the border.
        precision: "fp16" or "fp32".
        targets: GPUs to build for, such as "sm89"; None is the GPU in this machine.

    Raises:
        UsageError: the weights are damaged, or the sizes are too small or too large.
        BuildError: no such engine can be built here.
    """
    network = load_network(weights, stages)
    module, radius = DetailNetwork(network), network.radius
    _check_sizes(profile, radius)
    spec = engine_spec(
        module,
        label=f"{model}-stage{stages}",
        scale=weights.scale,
        profile=profile.grown(radius),
        precision=precision,
        targets=targets,
    )
    return EnginePlan(module=module, radius=radius, spec=spec)


def _check_sizes(profile: Profile, border: int) -> None:
    """Refuse pictures that are too small to be traced, or too large for TensorRT with their border."""
    largest = LARGEST - 2 * border
    if min(profile.minimum) < SMALLEST or max(profile.maximum) > largest:
        raise UsageError(
            f"the pictures are {profile}; accepted are sizes from {SMALLEST}x{SMALLEST} to "
            f"{largest}x{largest}"
        )
