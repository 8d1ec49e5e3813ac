"""Still pictures: read, upscaled and written through Pillow, and PyAV where Pillow loses something."""

from __future__ import annotations

from vs_emtcm.pictures.job import upscale, upscale_picture
from vs_emtcm.pictures.picture import Picture
from vs_emtcm.pictures.reader import read_picture
from vs_emtcm.pictures.writer import write_picture

__all__ = ["Picture", "read_picture", "upscale", "upscale_picture", "write_picture"]
