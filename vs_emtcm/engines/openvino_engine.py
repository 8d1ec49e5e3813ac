"""OpenVINO on the CPU: one compiled model per size of picture, with as many threads as PyTorch uses."""

from __future__ import annotations

import copy
import importlib
import sys
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any, Self

import torch
from torch import Tensor

from vs_emtcm.engines.load import load_network
from vs_emtcm.engines.openvino_graph import GraphTensor
from vs_emtcm.errors import EmtcmError
from vs_emtcm.weights_file import Weights

# Number of sizes whose compiled models are kept; a video has one. One model for all sizes would save their
# compilation (40 ms each), but is a tenth slower.
SIZES = 4
# Pixels of all kept sizes together: their models take 0.5 GB for the network "base".
PIXELS = 2 << 20
# Pixels of a tile. Whole pictures would be a little faster still, and take more memory.
TILE_PIXELS = 1 << 20
# Package that OpenVINO imports, if there is one, to report its use to its makers.
_TELEMETRY = "openvino_telemetry"
# Messages for failures of OpenVINO when an engine is made, and later; {} is its own message.
REINSTALL = (
    "OpenVINO does not work here ({}); install it again with 'pip install --force-reinstall openvino', "
    "or use backend 'torch'"
)
FAILED = "OpenVINO failed ({}); use backend 'torch'"


@contextmanager
def _openvino_errors(sentence: str) -> Iterator[None]:
    """Turn what OpenVINO raises inside into an EmtcmError: ``sentence`` with OpenVINO's message in it."""
    try:
        yield
    except (ImportError, OSError, RuntimeError, AttributeError, TypeError) as error:
        if isinstance(error.__cause__, KeyboardInterrupt):
            # OpenVINO's import reports an interruption as an ImportError.
            raise error.__cause__ from None
        # AttributeError and TypeError: another version may lack what is used here. OpenVINO's messages have
        # several lines.
        words = " ".join(str(error).split())
        raise EmtcmError(f"backend 'openvino': {sentence.format(words)}") from error


def _openvino() -> ModuleType:
    """Import OpenVINO without its telemetry, which writes to the home folder and sends a report on import."""
    if _TELEMETRY in sys.modules:
        return importlib.import_module("openvino")
    # None makes Python raise an ImportError for a module; OpenVINO then does without it.
    sys.modules[_TELEMETRY] = None  # type: ignore[assignment]
    try:
        return importlib.import_module("openvino")
    finally:
        del sys.modules[_TELEMETRY]


class OpenvinoEngine:
    """Runs the network in float32 with OpenVINO; see :class:`vs_emtcm.engines.engine.Engine`.

    Args:
        weights: of one scale.
        stages: 1 or 2.

    Raises:
        UsageError: the weights are damaged.
        EmtcmError: OpenVINO cannot be imported or cannot run the network.
    """

    precision = "float32"

    def __init__(self, weights: Weights, stages: int) -> None:
        self._network = load_network(weights, stages)
        self._requests: OrderedDict[tuple[torch.Size, int], Any] = OrderedDict()
        self.device = torch.device("cpu")
        self.stream: torch.cuda.Stream | None = None
        self.largest: tuple[int, int] | None = None
        self.tile_pixels: int | None = TILE_PIXELS
        self.radius = self._network.radius
        self.scale = weights.scale
        self._error_sentence = REINSTALL
        with _openvino_errors(self._error_sentence):
            self._openvino = _openvino()
            self._core = self._openvino.Core()
            version = self._openvino.__version__.partition("-")[0]
            self.description = f"OpenVINO {version} on cpu, {self.precision}"
            # Run the network now, while another backend can still be chosen if that fails.
            side = 2 * self.radius + 1
            self(torch.zeros(1, 1, side, side, dtype=torch.float32, device="cpu"))
        self._error_sentence = FAILED

    def __call__(self, x: Tensor) -> Tensor:
        """See :class:`vs_emtcm.engines.engine.Engine`.

        Raises:
            EmtcmError: OpenVINO failed.
        """
        rows, columns = (self.scale * (n - 2 * self.radius) for n in x.shape[-2:])
        return self._infer(x.contiguous(), x.new_empty((x.shape[0], 1, rows, columns)))

    def _infer(self, source: Tensor, result: Tensor) -> Tensor:
        """Run the graph on ``source``, write its output into ``result`` and return it; nothing is copied.

        Args:
            source: float32 (N, C, H, W), contiguous.
            result: float32 of the shape of the graph's output, contiguous.
        """
        with _openvino_errors(self._error_sentence):
            request = self._request(source.shape, torch.get_num_threads())
            tensor = self._openvino.Tensor
            request.set_input_tensor(tensor(source.numpy(), shared_memory=True))
            request.set_output_tensor(tensor(result.numpy(), shared_memory=True))
            request.infer(share_outputs=True)
        return result

    def another(self) -> Self:
        """See :class:`vs_emtcm.engines.engine.Engine`."""
        twin = copy.copy(self)
        twin._requests = OrderedDict()
        return twin

    def release(self) -> None:
        """See :class:`vs_emtcm.engines.engine.Engine`."""
        self._requests.clear()

    def _request(self, shape: torch.Size, threads: int) -> Any:
        """Return the OpenVINO inference request for inputs of a shape, compiled if none is kept."""
        key = shape, threads
        request = self._requests.get(key)
        if request is None:
            self._make_room(shape[-2] * shape[-1])
            request = self._requests[key] = self._compiled(shape, threads).create_infer_request()
        self._requests.move_to_end(key)
        return request

    def _make_room(self, pixels: int) -> None:
        """Drop the least recently used models until one more, for a size of ``pixels``, may be kept."""
        while self._requests:
            kept = sum(shape[-2] * shape[-1] for shape, _ in self._requests)
            if len(self._requests) < SIZES and kept + pixels <= PIXELS:
                return
            self._requests.popitem(last=False)

    def _graph(self, x: Any) -> Any:
        """Record what is compiled: the estimate of the last stage for the :class:`GraphTensor` ``x``."""
        return self._network.estimates(x)[-1]

    def _compiled(self, shape: torch.Size, threads: int) -> Any:
        """Compile the graph for inputs of one shape and a number of threads."""
        ops = self._openvino.opset13
        x = ops.parameter(shape, self._openvino.Type.f32)
        return self._core.compile_model(
            self._openvino.Model([self._graph(GraphTensor(x, ops)).node], [x]),
            "CPU",
            {
                # By default OpenVINO takes bfloat16 where the processor has it.
                "INFERENCE_PRECISION_HINT": {"float32": "f32", "bfloat16": "bf16"}[self.precision],
                "INFERENCE_NUM_THREADS": threads,
                "NUM_STREAMS": 1,
                # With pinning, the models of all lanes would be pinned to the same cores.
                "ENABLE_CPU_PINNING": False,
            },
        )
