"""Ablations: short trainings of a recipe with one thing changed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import msgspec
import torch

from training.checks import check_scales
from training.config import ConfigError, Recipe, parse_recipe, read_toml
from training.folders import remove_partial_files
from training.lock import locked
from training.loop import train
from training.markdown import table
from training.run import Run
from training.store import PairStore
from training.validate import validate
from vs_emtcm.errors import UsageError


class Variant(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A change of a recipe.

    Attributes:
        name: what is changed.
        set: tables that override those of the recipe, see :func:`overridden`.
    """

    name: str
    set: dict[str, Any] = msgspec.field(default_factory=dict)


class Ablations(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An ablation file.

    Attributes:
        common: tables that override those of the recipe in every variant, such as for fewer steps.
        variants: the changes; each variant is trained in a folder of its own.
    """

    common: dict[str, Any]
    variants: Annotated[tuple[Variant, ...], msgspec.Meta(min_length=1)]


def overridden(tables: Mapping[str, Any], overrides: Mapping[str, Any]) -> dict[str, Any]:
    """Return tables whose values are replaced key by key, at any depth, by those of ``overrides``."""
    merged = dict(tables)
    for key, value in overrides.items():
        old = tables.get(key)
        merged[key] = overridden(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
    return merged


def variants(recipe: Path, ablations: Path) -> dict[str, Recipe]:
    """Return the recipes of all variants, by name.

    Args:
        recipe: a TOML file, see :class:`training.config.Recipe`.
        ablations: a TOML file, see :class:`Ablations`.

    Raises:
        ConfigError: a file cannot be used, or a variant is no valid recipe.
    """
    tables = read_toml(recipe)
    try:
        file = msgspec.convert(read_toml(ablations), Ablations)
    except msgspec.ValidationError as error:
        raise ConfigError(f"{ablations} is not a valid ablation file: {error}") from error
    except RecursionError as error:
        raise ConfigError(f"{ablations} is not a valid ablation file: it is nested too deeply") from error
    folders = [folder_name(variant.name) for variant in file.variants]
    for variant, folder in zip(file.variants, folders, strict=True):
        if not folder:
            raise ConfigError(
                f"{ablations} has a variant named {variant.name!r}; give it a name with a letter or a digit"
            )
    if len(set(folders)) < len(folders):
        raise ConfigError(f"{ablations} has two variants of one name; each needs its own")
    try:
        common = overridden(tables, file.common)
        recipes = {
            v.name: parse_recipe(overridden(common, v.set), f"{ablations}, {v.name!r},")
            for v in file.variants
        }
    except RecursionError as error:
        raise ConfigError(f"{ablations} or {recipe} is nested too deeply") from error
    for name, made in recipes.items():
        try:
            check_scales(made, frozenset(), 0)
        except UsageError as error:
            raise ConfigError(f"{ablations}, {name!r}: {error}") from error
    return recipes


def folder_name(variant: str) -> str:
    """Return the name of a variant's folder: the words of its name in lower case, joined by hyphens."""
    return "-".join("".join(c if c.isalnum() else " " for c in variant.lower()).split())


def run_variant(
    name: str,
    recipe: Recipe,
    folder: Path,
    training: Mapping[int, PairStore],
    validation: Mapping[int, PairStore],
    *,
    cache: str,
    device: torch.device,
    compiled: bool,
    amx: bool,
) -> dict[str, float]:
    """Train a variant to its end, or go on with an unfinished run of it, and score it.

    Args:
        name: of the variant.
        recipe: of the variant.
        folder: that holds the variants' folders.
        training, validation: pairs by scale.
        cache, device, compiled, amx: see :class:`training.run.Run`.

    Returns:
        The scores of all scales, see :func:`training.validate.validate`.
    """
    own = folder / folder_name(name)
    with locked(own):
        remove_partial_files(own)
        run = Run(recipe, own, device=device, compiled=compiled, amx=amx, cache=cache)
        train(run, training, validation)
    form = run.averaged()
    scores: dict[str, float] = {}
    for scale in recipe.model.scales:
        scores |= validate(form.deployed(scale).to(device), validation[scale])
    return scores


def ablation_table(scores: Mapping[str, Mapping[str, float]]) -> str:
    """Return a Markdown table of the variants' scores: PSNR / SSIM of each scale and stage."""
    columns = [f"x{s}/{stage}" for s in (2, 3, 4) for stage in (1, 2)]
    rows = []
    for name, values in scores.items():
        cells = [
            f"{values[f'{c} PSNR']:.2f} / {values[f'{c} SSIM']:.4f}" if f"{c} PSNR" in values else "-"
            for c in columns
        ]
        rows.append([name, *cells])
    return table(["variant", *columns], rows)
