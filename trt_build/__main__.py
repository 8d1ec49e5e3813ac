"""``python -m trt_build``: compile a module of any package as a TensorRT engine."""

from __future__ import annotations

import argparse
import importlib
import sys
from pathlib import Path

from torch import nn

from trt_build import BuildError, Profile, build
from trt_build.profile import parse_size


def _module_of(factory: str) -> nn.Module:
    """Import and call ``package.module:function``.

    Raises:
        BuildError: it cannot be called, or does not return a module.
    """
    module_name, _, function = factory.partition(":")
    try:
        made = getattr(importlib.import_module(module_name), function)()
    except Exception as error:
        # The factory is another package's code, which may raise anything.
        raise BuildError(f"{factory!r} cannot be called ({error}); give package.module:function") from error
    if not isinstance(made, nn.Module):
        raise BuildError(f"{factory!r} returned a {type(made).__name__}; it must return a torch.nn.Module")
    return made


def main(arguments: list[str] | None = None) -> int:
    """Run the command and return its exit code."""
    parser = argparse.ArgumentParser(prog="python -m trt_build", description=__doc__)
    parser.add_argument("factory", help="package.module:function without arguments, returning a module")
    parser.add_argument("--out", type=Path, required=True, help="the engine file to write")
    parser.add_argument("--scale", type=int, default=1, help="recorded with the engine")
    parser.add_argument("--min", default="64x64", help="smallest input, width x height")
    parser.add_argument("--opt", default="1920x1080", help="input that the engine is made for")
    parser.add_argument("--max", default="4096x2304", help="largest input")
    parser.add_argument("--precision", choices=("fp16", "fp32"), default="fp16")
    parser.add_argument(
        "--target", action="append", help="GPU to build for without having it: sm89,sm120, or all"
    )
    options = parser.parse_args(arguments)
    try:
        profile = Profile(
            minimum=parse_size(options.min),
            optimum=parse_size(options.opt),
            maximum=parse_size(options.max),
        )
        built = build(
            _module_of(options.factory),
            scale=options.scale,
            profile=profile,
            precision=options.precision,
            targets=None if options.target is None else tuple(options.target),
            out=options.out,
            label=options.factory.rpartition(":")[2],
        )
    except BuildError as error:
        print(f"trt_build: error: {error}", file=sys.stderr)
        return 2
    print(f"{options.out}: {built.precision}, {built.profile}, for {', '.join(built.targets)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
