"""Export of a module as ONNX, for programs that build their own engines."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any

import torch
from torch import nn

from trt_build.builder import TRACING
from trt_build.errors import BuildError, first_line
from trt_build.quiet import quiet
from trt_build.spec import dtype_of
from trt_build.whole_file import AnyPath, whole_file

# Names of the graph's input and output.
INPUT = "input"
OUTPUT = "output"
OPSET = 18
# Height in pixels of the example that the module is traced with; its width is 16 more.
EXAMPLE = 64


def export_onnx(
    module: nn.Module,
    path: AnyPath,
    *,
    precision: str = "fp16",
    description: Mapping[str, str] | None = None,
) -> None:
    """Write a module as an ONNX file for a batch of one, of any height and width.

    PyTorch changes settings of the whole process while it traces a module: programs that upscale at the same
    time had better call this in a process of its own.

    Args:
        module: takes one tensor (1, 1, H, W) and returns one tensor.
        path: the file; it appears when it is complete.
        precision: "fp16" or "fp32", of weights, input and output.
        description: metadata of the file, by name.

    Raises:
        BuildError: the ``onnx`` packages are missing, or the module cannot be exported.
    """
    dtype = dtype_of(precision)
    copy = deepcopy(module).requires_grad_(False).to("cpu", dtype).eval()
    example = torch.zeros(1, 1, EXAMPLE, EXAMPLE + 16, dtype=dtype)
    path = Path(path)
    try:
        with TRACING, torch.autocast("cpu", enabled=False), quiet("torch.onnx"):
            program = torch.onnx.export(
                copy,
                (example,),
                dynamo=True,
                external_data=False,
                opset_version=OPSET,
                input_names=[INPUT],
                output_names=[OUTPUT],
                dynamic_shapes=({2: torch.export.Dim("height"), 3: torch.export.Dim("width")},),
                verbose=False,
            )
        assert program is not None
        _describe(program.model, description or {})
        with whole_file(path) as temporary:
            program.save(temporary, external_data=False)
    except ImportError as error:
        raise BuildError("exporting ONNX needs more packages; run 'pip install onnx onnxscript'") from error
    except OSError as error:
        raise BuildError(f"{path} cannot be written: {error.strerror}") from error
    except Exception as error:
        raise BuildError(f"the module cannot be exported: {first_line(error)}") from error


def _describe(model: Any, description: Mapping[str, str]) -> None:
    """Set the metadata of a model instead of the tracer's, which names folders of this machine."""
    for node in model.graph.all_nodes():
        node.metadata_props.clear()
        for value in node.outputs:
            value.metadata_props.clear()
    model.metadata_props.clear()
    model.metadata_props.update(description)
