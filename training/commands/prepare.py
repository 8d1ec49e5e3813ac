"""``prepare``: from folders of pictures to a cache of training pairs."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Annotated

import typer

from training.cache import write_cache
from training.commands.exit import training_exit_codes
from training.commands.inputs import chosen_scales
from training.degradation import VideoPairs
from training.methods import networks
from training.pairs import CleanPairs, PairMaker, pairs_of_pictures
from training.pictures import PictureError, find_pictures
from training.similar import refuse_similar
from training.teacher import taught
from vs_emtcm.errors import UsageError


def prepare(
    data: Annotated[list[Path], typer.Option(help="Folder of pictures; may be given several times.")],
    out: Annotated[Path, typer.Option(help="Folder of the cache.")],
    tune: Annotated[str, typer.Option(help="clean: bicubic reductions; video: real encodes.")],
    against: Annotated[
        list[Path] | None, typer.Option(help="Test sets: refuse pictures that look like one of theirs.")
    ] = None,
    shifted: Annotated[
        bool,
        typer.Option("--shifted", help="clean: reduce each picture from four places of the pixel grid."),
    ] = False,
    encodes: Annotated[
        int, typer.Option(min=1, help="video: encode each picture so many times, each time in another way.")
    ] = 1,
    teacher: Annotated[
        str | None,
        typer.Option(help="A network, named as for 'evaluate', that makes half of every target."),
    ] = None,
    scale: Annotated[
        list[int] | None,
        typer.Option(help="May be given several times; without it, 2, 3 and 4, or what the teacher has."),
    ] = None,
) -> None:
    """Decode pictures once, make their low-resolution versions, and store both."""
    with training_exit_codes():
        maker = _pair_maker(tune, shifted, encodes)
        scales = chosen_scales(scale, [] if teacher is None else [teacher])
        teachers = {} if teacher is None else {s: networks([teacher], s)[teacher] for s in scales}
        paths = [path for folder in data for path in find_pictures(folder)]
        tests = [path for folder in against or () for path in find_pictures(folder)]
        if tests:
            refuse_similar(paths, tests)
        taken: Counter[int] = Counter()
        pairs = pairs_of_pictures(paths, maker, scales, taken)
        if teacher is not None:
            pairs = (taught(pair, teachers[pair.scale]) for pair in pairs)
        count = write_cache(out, pairs, maker.tune)
        if count == 0:
            side = maker.smallest_side(min(scales))
            raise PictureError(f"no picture is large enough; a side must be at least {side} pixels")
    for s in scales:
        others = "" if taken[s] == len(paths) else f", the others have a side under {maker.smallest_side(s)}"
        print(f"x{s}: {taken[s]} of {len(paths)} pictures{others}")
    print(f"{count} pairs in {out}")


def _pair_maker(tune: str, shifted: bool, encodes: int) -> PairMaker:
    if tune not in ("clean", "video"):
        raise UsageError(f"tune is {tune!r}; accepted are clean and video")
    if shifted and tune != "clean":
        raise UsageError("--shifted is for tune clean; encodes begin at random places anyway")
    if encodes > 1 and tune != "video":
        raise UsageError("--encodes is for tune video; tune clean encodes nothing")
    return CleanPairs(shifted=shifted) if tune == "clean" else VideoPairs(encodes=encodes)
