"""Recording a PyTorch network as an OpenVINO graph: its operations add nodes instead of being computed.

``openvino.convert_model`` goes through ``torch.jit.trace``, which is deprecated, changes the root logger,
and takes 0.3 s and more for every engine; this takes 10 ms.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import ModuleType
from typing import Any

import torch
from torch import Tensor


class GraphTensor:
    """Stands in for a tensor; operations on it become nodes of a graph.

    Only the operations of the deployed network are known; for others PyTorch raises a TypeError.

    Args:
        node: the OpenVINO node whose output this is; its shape is static.
        ops: an opset of OpenVINO, such as ``openvino.opset13``.
    """

    def __init__(self, node: Any, ops: ModuleType) -> None:
        self.node = node
        self.ops = ops

    @classmethod
    def __torch_function__(
        cls,
        function: Callable[..., Any],
        types: Sequence[type],
        arguments: tuple[Any, ...] = (),
        options: Mapping[str, Any] | None = None,
    ) -> Any:
        """Record a call of a PyTorch function; PyTorch's protocol for objects that behave like tensors."""
        record = _RECORDERS.get(function)
        return NotImplemented if record is None else record(*arguments, **(options or {}))

    @property
    def shape(self) -> tuple[int, ...]:
        """The static shape of this node's output, as ``Tensor.shape``."""
        return tuple(self.node.get_output_shape(0))

    def __add__(self, other: GraphTensor) -> GraphTensor:
        return GraphTensor(self.ops.add(self.node, other.node), self.ops)

    def __sub__(self, other: GraphTensor) -> GraphTensor:
        return GraphTensor(self.ops.subtract(self.node, other.node), self.ops)

    def __getitem__(self, index: tuple[Any, slice, slice]) -> GraphTensor:
        # The network only crops: ``x[..., a:b, c:d]``.
        spans = [part.indices(size) for part, size in zip(index[1:], self.shape[-2:], strict=True)]
        bounds = ([span[i] for span in spans] for i in range(3))
        return GraphTensor(self.ops.slice(self.node, *bounds, axes=[-2, -1]), self.ops)

    def constant(self, tensor: Tensor) -> Any:
        """Make a node that holds the values of ``tensor``."""
        return self.ops.constant(tensor.detach().numpy())


def _convolution(
    x: GraphTensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: tuple[int, int] = (1, 1),
    padding: tuple[int, int] = (0, 0),
    dilation: tuple[int, int] = (1, 1),
    groups: int = 1,
) -> GraphTensor:
    if groups != 1:
        raise NotImplementedError("convolutions with groups are not recorded")
    node = x.ops.convolution(x.node, x.constant(weight), stride, padding, padding, dilation)
    if bias is not None:
        node = x.ops.add(node, x.constant(bias.reshape(1, -1, 1, 1)))
    return GraphTensor(node, x.ops)


def _prelu(x: GraphTensor, slope: Tensor) -> GraphTensor:
    return GraphTensor(x.ops.prelu(x.node, x.constant(slope)), x.ops)


def _concatenation(parts: Sequence[GraphTensor], dim: int = 0) -> GraphTensor:
    ops = parts[0].ops
    return GraphTensor(ops.concat([part.node for part in parts], dim), ops)


def _pixel_shuffle(x: GraphTensor, scale: int) -> GraphTensor:
    return GraphTensor(x.ops.depth_to_space(x.node, "depth_first", scale), x.ops)


_RECORDERS: Mapping[Callable[..., Any], Callable[..., GraphTensor]] = {
    torch.conv2d: _convolution,
    torch.prelu: _prelu,
    torch.cat: _concatenation,
    torch.pixel_shuffle: _pixel_shuffle,
}
