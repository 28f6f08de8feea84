"""What the settings of simulated STEM images leave open, drawn for one image."""

from dataclasses import dataclass, fields, replace
from typing import cast

import numpy as np

from ...errors import UserError
from .settings import Law, STEMSettings

Range = tuple[float, float, Law]
"""Least and largest value of a draw, and its law."""

_PIXELS_PER_FWHM = 2.0
_FEWEST_PIXELS_PER_FWHM = 1.5
_WIDEST = 0.9
_MOST_LEAN_NM = 0.1
_RESOLVING, _FINEST_NM = 0.8, 0.1


@dataclass(frozen=True)
class Conditions:
    """Everything that may vary, with its value for one image; named as in `STEMSettings`."""

    pixel_size_nm: float
    thickness_nm: float
    diameter_nm: float
    tilt_deg: float
    vacancies: float
    disorder_nm: float
    probe_fwhm_nm: float
    probe_ellipticity: float
    probe_tails: float
    defocus_nm: float
    focal_spread_nm: float
    background: float
    flicker: float
    gain_spread: float
    read_noise: float
    lag: float
    smoothing_px: float
    hot_pixels: float
    line_jitter_nm: float
    drift_nm: float
    flyback_nm: float
    z_exponent: float
    layers: int
    convergence_mrad: float


def draw_conditions(settings: STEMSettings, rng: np.random.Generator) -> Conditions:
    """Draw what is not given. A value that is given changes none of the other draws.

    Where pixel size or probe are drawn, the probe's core is at least two pixels wide; a drawn diameter is at
    most 0.9 of the image's edge, and a drawn tilt smears no column over more than 0.1 nm.

    Raises
    ------
    UserError
        If pixel size and probe are given and the probe is narrower than 1.5 pixels.

    """
    values = {name: _draw(law, rng) for name, law in drawn_fields().items()}
    given = {name: getattr(settings, name) for name in values}
    values |= {name: value for name, value in given.items() if value is not None}
    values |= _sampled(values["pixel_size_nm"], values["probe_fwhm_nm"], settings)
    if settings.diameter_nm is None:
        values["diameter_nm"] = min(values["diameter_nm"], _WIDEST * settings.size_px * values["pixel_size_nm"])
    if settings.tilt_deg is None:
        tallest = max(values["thickness_nm"], values["diameter_nm"])
        values["tilt_deg"] = min(values["tilt_deg"], float(np.rad2deg(_MOST_LEAN_NM / tallest)))
    layers = int(rng.choice((1, 1, 1, 2, 3)))
    return Conditions(
        **values,
        layers=settings.layers or layers,
        z_exponent=settings.z_exponent,
        convergence_mrad=settings.convergence_mrad,
    )


def resolving(drawn: Conditions, settings: STEMSettings, spacing_nm: float) -> Conditions:
    """Narrow a drawn probe so that it resolves the columns.

    Parameters
    ----------
    drawn
        Conditions of the image.
    settings
        Where they give the probe's width, it stays.
    spacing_nm
        Least distance of two columns; below 0.1 nm it counts as 0.1 nm.

    Returns
    -------
    Conditions
        The same with a probe of at most 0.8 of the spacing, but of two pixels at least.
    """
    if settings.probe_fwhm_nm is not None:
        return drawn
    widest = max(_RESOLVING * max(spacing_nm, _FINEST_NM), _PIXELS_PER_FWHM * drawn.pixel_size_nm)
    return replace(drawn, probe_fwhm_nm=min(drawn.probe_fwhm_nm, widest))


def drawn_fields() -> dict[str, Range]:
    """Return the settings that may be left open, and from where each is drawn then."""
    extras = {name: field.json_schema_extra for name, field in STEMSettings.model_fields.items()}
    laws = {name: extra.get("drawn") for name, extra in extras.items() if isinstance(extra, dict)}
    names = {field.name for field in fields(Conditions)}
    return {name: cast(Range, tuple(law)) for name, law in laws.items() if isinstance(law, list) and name in names}


def _draw(law: Range, rng: np.random.Generator) -> float:
    """Draw one number: evenly spread, evenly in its logarithm, or mostly low."""
    low, high, name = law
    share = float(rng.random())
    if name == "log":
        return float(low * (high / low) ** share)
    return float(low + (high - low) * (share**2 if name == "low" else share))


def _sampled(pixel_nm: float, fwhm_nm: float, settings: STEMSettings) -> dict[str, float]:
    """Pixel size and probe that fit each other."""
    if settings.pixel_size_nm is None:
        return {"pixel_size_nm": min(pixel_nm, fwhm_nm / _PIXELS_PER_FWHM)}
    if settings.probe_fwhm_nm is None:
        return {"probe_fwhm_nm": max(fwhm_nm, _PIXELS_PER_FWHM * pixel_nm)}
    if fwhm_nm < _FEWEST_PIXELS_PER_FWHM * pixel_nm:
        raise UserError(
            f"A probe of {fwhm_nm:g} nm is too narrow for pixels of {pixel_nm:g} nm. "
            f"Choose pixels of at most {fwhm_nm / _FEWEST_PIXELS_PER_FWHM:.2g} nm, or a wider probe."
        )
    return {}
