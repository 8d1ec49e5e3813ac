"""A network as an OpenVINO graph: PyTorch's own steps, recorded instead of computed.

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
    """Stands for a tensor; what is done with it becomes nodes of a graph.

    It knows the steps that the deployed network is made of; PyTorch refuses others with a TypeError.

    Args:
        node: the node whose output it is, of a static shape.
        ops: an opset of OpenVINO.
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
        """PyTorch's protocol for what is no tensor but behaves like one."""
        step = _STEPS.get(function)
        return NotImplemented if step is None else step(*arguments, **(options or {}))

    @property
    def shape(self) -> tuple[int, ...]:
        """As of a tensor."""
        return tuple(self.node.get_output_shape(0))

    def __add__(self, other: GraphTensor) -> GraphTensor:
        return GraphTensor(self.ops.add(self.node, other.node), self.ops)

    def __sub__(self, other: GraphTensor) -> GraphTensor:
        return GraphTensor(self.ops.subtract(self.node, other.node), self.ops)

    def __getitem__(self, index: tuple[Any, slice, slice]) -> GraphTensor:
        # ``x[..., a:b, c:d]`` is all that the network asks for.
        spans = [part.indices(size) for part, size in zip(index[1:], self.shape[-2:], strict=True)]
        bounds = ([span[i] for span in spans] for i in range(3))
        return GraphTensor(self.ops.slice(self.node, *bounds, axes=[-2, -1]), self.ops)

    def constant(self, tensor: Tensor) -> Any:
        """A node that holds the values of ``tensor``."""
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


_STEPS: Mapping[Callable[..., Any], Callable[..., GraphTensor]] = {
    torch.conv2d: _convolution,
    torch.prelu: _prelu,
    torch.cat: _concatenation,
    torch.pixel_shuffle: _pixel_shuffle,
}
