"""Targets: the GPU architectures that an engine is built for, by compute capability."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from trt_build.errors import BuildError

# What TensorRT-RTX can build for, with or without the GPU at hand: Turing, Ampere (A100; RTX 30), Ada
# (RTX 40), Blackwell (RTX 50; GB10).
TARGETS = ("sm75", "sm80", "sm86", "sm89", "sm120", "sm121")


def parse_targets(names: str | Iterable[str], offered: Collection[str] = TARGETS) -> tuple[str, ...]:
    """Parse and check a choice of targets.

    Args:
        names: a target such as "sm89", or "all" for every one that is offered, or several of them; each
            text may be a list separated by commas.
        offered: what the installed TensorRT can build for.

    Returns:
        Each target once, in the order of :data:`TARGETS`.

    Raises:
        BuildError: a target is unknown, or not offered.
    """
    wanted: set[str] = set()
    texts = (names,) if isinstance(names, str) else names
    for name in (part for text in texts for part in text.split(",")):
        if name == "all":
            wanted.update(offered)
        elif name in offered:
            wanted.add(name)
        elif name in TARGETS:
            raise BuildError(
                f"target {name} is not known to the installed TensorRT, which offers "
                f"{', '.join(offered)}; install a newer Torch-TensorRT or leave it out"
            )
        else:
            raise BuildError(f"target is {name!r}; accepted are all, {', '.join(offered)}")
    if not wanted:
        raise BuildError(f"no target was given; accepted are all, {', '.join(offered)}")
    return tuple(target for target in TARGETS if target in wanted)


def capability(target: str) -> tuple[int, int]:
    """Return the compute capability of a target: (8, 9) for "sm89"."""
    digits = target.removeprefix("sm")
    return int(digits[:-1]), int(digits[-1])


def target_of(major: int, minor: int) -> str:
    """Return the target of a compute capability: "sm89" for (8, 9)."""
    return f"sm{major}{minor}"
