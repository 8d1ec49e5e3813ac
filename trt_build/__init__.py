"""Builds TensorRT engines of any module with one input and one output, with or without a GPU."""

from trt_build.builder import build
from trt_build.container import read_engine
from trt_build.errors import BuildError, EngineFileError
from trt_build.onnx_file import export_onnx
from trt_build.profile import Profile
from trt_build.spec import EngineSpec, engine_spec
from trt_build.store import Entry, build_into, clear, entries, get_or_build, stored_engine, verify
from trt_build.targets import TARGETS

__all__ = [
    "TARGETS",
    "BuildError",
    "EngineFileError",
    "EngineSpec",
    "Entry",
    "Profile",
    "build",
    "build_into",
    "clear",
    "engine_spec",
    "entries",
    "export_onnx",
    "get_or_build",
    "read_engine",
    "stored_engine",
    "verify",
]
