"""Upscale a video file with the filter.

Look at it, or encode it, with vspipe:

    vspipe --arg source="$PWD/film.mkv" examples/upscale.py --outputindex 0 -c y4m - | ffmpeg -i - out.mkv

Arguments: source (required), scale (2, 3 or 4), tune ("video" or "clean").
"""

import vapoursynth as vs

from vs_emtcm import emtcm

arguments = globals()
if "source" not in arguments:
    raise vs.Error("upscale.py: give the video file with --arg source=FILE")

if not hasattr(vs.core, "bs"):
    raise vs.Error("upscale.py: BestSource is missing; run 'pip install vapoursynth-bestsource'")

# Frames are read in order, so a small cache (in MB) does.
clip = vs.core.bs.VideoSource(arguments["source"], cachesize=32)
clip = emtcm(
    clip,
    scale=int(arguments.get("scale", 2)),
    tune=str(arguments.get("tune", "video")),
)
clip.set_output()
