"""Published networks that ours are compared with, out of ``peers.toml``."""

from __future__ import annotations

from pathlib import Path

import msgspec

# The benchmarks that papers report, in the order of :class:`Peer`.
SETS = ("Set5", "Set14", "BSD100", "Urban100")


class Peer(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A published network and its scores, in the order of ``SETS``.

    Attributes:
        name: of the network.
        source: a publication, or "measured" if its scores were measured with its own weights.
        gmac: at x2, see :func:`training.report.gmac`.
        x2, x3, x4: PSNR in dB.
        ssim_x2, ssim_x3, ssim_x4: SSIM.
    """

    name: str
    source: str
    gmac: float
    x2: tuple[float, ...] = ()
    x3: tuple[float, ...] = ()
    x4: tuple[float, ...] = ()
    ssim_x2: tuple[float, ...] = ()
    ssim_x3: tuple[float, ...] = ()
    ssim_x4: tuple[float, ...] = ()

    def cells(self, scale: int) -> list[str]:
        """Return the cells of a table, one for each set that has a score at this scale."""
        psnr, ssim = getattr(self, f"x{scale}"), getattr(self, f"ssim_x{scale}")
        return (
            [f"{p:.2f} / {s:.4f}" for p, s in zip(psnr, ssim, strict=True)]
            if ssim
            else [f"{p:.2f}" for p in psnr]
        )


def read_peers() -> list[Peer]:
    """Return the peers of ``peers.toml``."""
    text = Path(__file__).with_name("peers.toml").read_bytes()
    return msgspec.toml.decode(text, type=dict[str, list[Peer]])["peers"]
