"""Upscale a video file with the filter.

Look at it, or encode it, with vspipe:

    vspipe --arg source="$PWD/film.mkv" examples/upscale.py --outputindex 0 -c y4m - | ffmpeg -i - out.mkv

Arguments: source (required) and those of emtcm (scale, model, tune and so on), as in the README.

y4m carries neither range nor matrix, pixel aspect ratio or chroma location: tell them to the encoder.
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
settings = {name: arguments[name] for name in ("model", "tune", "backend", "device") if name in arguments}
for name in ("scale", "stages", "device_index", "lanes", "tile"):
    if name in arguments:
        if not str(arguments[name]).isdecimal():
            raise vs.Error(f"upscale.py: {name} is {arguments[name]!r}; give a number")
        settings[name] = int(arguments[name])
clip = emtcm(clip, **settings)
clip.set_output()
