"""From a PyTorch module to a serialised TensorRT engine."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from trt_build.errors import BuildError, first_line
from trt_build.frontend import front_end, installation
from trt_build.profile import Profile

# Name of the engine's input.
INPUT = "input"


def exported(module: nn.Module, profile: Profile, dtype: torch.dtype) -> torch.export.ExportedProgram:
    """Export a module as a graph; height and width are dynamic where the profile has several.

    Args:
        module: takes one tensor (1, 1, H, W).
        profile: sizes of the input.
        dtype: of the input.

    Raises:
        BuildError: the module cannot be traced for these sizes.
    """
    height, width = profile.optimum
    # The tracer takes a size of one for a constant.
    example = torch.zeros(1, 1, max(2, height), max(2, width), dtype=dtype)
    shapes = None
    if not profile.static:
        sizes = zip(("height", "width"), profile.minimum, profile.maximum, strict=True)
        shapes = (
            {
                i: torch.export.Dim(name, min=low, max=high)
                for i, (name, low, high) in enumerate(sizes, 2)
                if low != high
            },
        )
    try:
        return torch.export.export(module, (example,), dynamic_shapes=shapes, strict=False)
    except Exception as error:
        raise BuildError(f"the module cannot be exported for {profile}: {first_line(error)}") from error


def serialized_engine(
    module: nn.Module, profile: Profile, dtype: torch.dtype, targets: tuple[str, ...], *, ahead: bool
) -> bytes:
    """Compile a module as one engine.

    Args:
        module: in evaluation mode, of ``dtype``, on the CPU; one (1, 1, H, W) input, one output.
        profile: sizes of the input.
        dtype: ``torch.float16`` or ``torch.float32``.
        targets: GPUs to build for.
        ahead: the targets need not be here; otherwise the only target is the GPU in this machine.

    Returns:
        The serialised engine.

    Raises:
        BuildError: an operation cannot be converted, the engine would not have the dtype, or
            TensorRT refuses the network.
    """
    program = exported(module, profile, dtype)
    ends = len(program.graph_signature.user_inputs), len(program.graph_signature.user_outputs)
    if ends != (1, 1):
        raise BuildError(f"the module has {ends[0]} inputs and {ends[1]} outputs; it must have one of each")
    with front_end(targets[0] if ahead else None):
        interpreter = _interpreted(program, profile, dtype)
        config = interpreter._populate_trt_builder_config()
        # By default TensorRT-RTX does not build for the GPU in this machine, but for most GPUs except Turing.
        if ahead or installation().flavour == "rtx":
            _set_targets(config, targets)
        engine = interpreter.builder.build_serialized_network(interpreter.ctx.net, config)
    if engine is None:
        raise BuildError(f"TensorRT could not build the engine for {profile}; its own message is above")
    return bytes(engine)


def _interpreted(program: torch.export.ExportedProgram, profile: Profile, dtype: torch.dtype) -> Any:
    """Convert the whole module to one TensorRT network, which Torch-TensorRT's interpreter then holds."""
    from torch_tensorrt import Input
    from torch_tensorrt.dynamo._settings import CompilationSettings
    from torch_tensorrt.dynamo.conversion._TRTInterpreter import (
        TRTInterpreter,
        UnsupportedOperatorException,
    )
    from torch_tensorrt.dynamo.lowering import (
        get_decompositions,
        post_lowering,
        pre_export_lowering,
    )

    settings = CompilationSettings(
        require_full_compilation=True,
        immutable_weights=True,
        min_block_size=1,
        offload_module_to_cpu=False,
        # TF32 has a mantissa of ten bits, no more than float16.
        disable_tf32=True,
    )
    program = pre_export_lowering(program, settings).run_decompositions(get_decompositions(False))
    graph = post_lowering(program.module(), settings)
    shapes = ((1, 1, *size) for size in (profile.minimum, profile.optimum, profile.maximum))
    if profile.static:
        specification = Input(shape=next(shapes), dtype=dtype, name=INPUT)
    else:
        smallest, usual, largest = shapes
        specification = Input(min_shape=smallest, opt_shape=usual, max_shape=largest, dtype=dtype, name=INPUT)
    interpreter = TRTInterpreter(graph, [specification], output_dtypes=[dtype], compilation_settings=settings)
    missing = interpreter.validate_conversion()
    if missing:
        raise BuildError(f"TensorRT has no counterpart of {', '.join(sorted(missing))}; change the module")
    try:
        interpreter._construct_trt_network_def()
    except UnsupportedOperatorException as error:
        raise BuildError(f"TensorRT cannot run the module: {error}") from error
    check_network(interpreter.ctx.net, dtype)
    return interpreter


def check_network(network: Any, dtype: torch.dtype) -> None:
    """Refuse a TensorRT network whose input or output is not of ``dtype``.

    Torch-TensorRT ignores options that it does not know, so its result is checked instead.

    Raises:
        BuildError: one is of another dtype.
    """
    wanted = {torch.float16: "HALF", torch.float32: "FLOAT"}[dtype]
    for tensor in (network.get_input(0), network.get_output(0)):
        if tensor.dtype.name != wanted:
            raise BuildError(f"{tensor.name!r} became {tensor.dtype.name}, not {wanted}; cast in the module")


def _set_targets(config: Any, targets: tuple[str, ...]) -> None:
    """Set the compute capabilities that TensorRT-RTX builds for.

    Args:
        config: TensorRT's ``IBuilderConfig``.
        targets: such as "sm89".

    Raises:
        BuildError: full TensorRT is installed.
    """
    if installation().flavour != "rtx":
        raise BuildError(
            "full TensorRT builds for the GPU in this machine alone; leave out the target, or install "
            "torch-tensorrt-rtx instead"
        )
    import tensorrt

    config.num_compute_capabilities = len(targets)
    for index, target in enumerate(targets):
        config.set_compute_capability(getattr(tensorrt.ComputeCapability, target.upper()), index)
