"""Upscale frame by frame from Python: planes in, planes out.

    python examples/frames.py film.mkv

Reads the first frame with PyAV, upscales it 2x and writes frame.png.
"""

import sys

import av
import numpy as np
from PIL import Image

from vs_emtcm import PixelFormat, Upscaler

if len(sys.argv) != 2:
    sys.exit("usage: python examples/frames.py VIDEO")
with av.open(sys.argv[1]) as container:
    frame = next(container.decode(video=0))
rgb = frame.to_ndarray(format="rgb24")

upscaler = Upscaler(scale=2)
planes = upscaler.upscale([rgb[..., i] for i in range(3)], PixelFormat(family="rgb"))
Image.fromarray(np.stack(planes, axis=2)).save("frame.png")
