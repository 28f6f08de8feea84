"""ADF-STEM images whose truth is known: noisy, clean, without background, sharper, masks, positions of the columns.

An incoherent image: the specimen's scattering power, about Z^1.7 for each atom, convolved with the probe's intensity.
The parts are in `lattice`, `materials` and `specimen` (atoms), `probe` (the beam), `render` and `scan` (recording);
`docs/how-it-works/stem-simulation.md` has the physics in one piece.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ...data.arrays import Floats32
from . import render
from .conditions import Conditions, draw_conditions, resolving
from .probe import FWHM_PER_SIGMA, Probe, gaussian
from .render import Field, Spectrum
from .scan import ScanPath, lag_transfer
from .settings import STEMSettings
from .specimen import Scene, draw_scene

__all__ = ["STEMImage", "STEMSettings", "simulate_stem"]

Parameters = dict[str, object]
"""What was drawn for an image, by name: numbers, texts and lists, as JSON can hold them."""

GOLD_CROSS_SECTION_NM2 = 2.4e-4
"""Scattering of a gold atom onto the detector: Rutherford's cross-section beyond 50 mrad at 300 kV is 2.65e-4 nm^2, a
little less with screening. That of other atoms is (Z / 79)^exponent times as large."""

_OBJECT_FWHM_NM = 0.02
"""Width of what an atom scatters with, a point otherwise."""
_MARGIN_NM = 0.2
_SHARPER, _SHARPEST_PX = 0.5, 1.5
"""Width of the sharper probe in that of the real one, and its least width."""
_SIGNAL_TO_NOISE = (4.0, 80.0)
_PEAK_ELECTRONS = (0.5, 3000.0)
"""Least and most electrons in the brightest pixel, where the dose is drawn."""
_LOCAL_NM = 0.3
"""What is wider than this are the surroundings of a column, not the column."""
_DOSE_WITHOUT_ATOMS = 1e7
_MASK_SHARE, _WIDEST_MASK_NM, _SMALLEST_MASK_PX = 0.4, 0.06, 1.0
_BACKGROUND_PERIOD = 1.2


@dataclass(frozen=True, eq=False)
class STEMImage:
    """A simulated image and its truth; images are ``(h, w)`` float32 in electrons per pixel."""

    image: Floats32
    """As recorded, with all noise."""
    no_noise: Floats32
    """Its expectation but for the jitter of the lines, which is left out."""
    no_background: Floats32
    """The same of the crystal alone."""
    sharp: Floats32
    """The crystal with a probe half as wide and without tails, scaled to the same peak."""
    fine: Floats32
    """`no_background` on a grid of half the step, ``(2 h, 2 w)``; its pixels are quarters of the image's."""
    places_px: NDArray[np.float64]
    """Columns in the image (y, x), ``(n, 2)``; the first pixel's centre is (0, 0)."""
    electrons: NDArray[np.float64]
    """Electrons that each column is expected to scatter onto the detector, ``(n,)``."""
    atoms: NDArray[np.int64]
    """Atoms of each column, ``(n,)``."""
    mean_z: NDArray[np.float64]
    """Mean atomic number of each column, ``(n,)``."""
    in_masks: NDArray[np.bool_]
    """Which columns are bright enough for the masks, ``(n,)``."""
    mask_places_px: NDArray[np.float64]
    """All columns of the masks (y, x), ``(m, 2)``, with those outside the image whose discs reach into it."""
    pixel_size_nm: float
    mask_radius_px: float
    parameters: Parameters
    """What was drawn for this image."""

    @cached_property
    def _squared(self) -> Floats32:
        """Squared distance of each pixel from the nearest column of the masks."""
        return render.nearest_squared(self.mask_places_px, 2 * self.mask_radius_px, self.image.shape[0])

    @property
    def circular_mask(self) -> NDArray[np.uint8]:
        """1 on discs around the columns, else 0."""
        return (self._squared <= self.mask_radius_px**2).astype(np.uint8)

    @property
    def gaussian_mask(self) -> Floats32:
        """Gaussians of height 1 around the columns; their standard deviation is half the discs' radius."""
        return np.asarray(np.exp(-2 * self._squared / self.mask_radius_px**2), np.float32)


@dataclass(frozen=True, eq=False)
class _View:
    """A specimen under the probe, not yet exposed."""

    drawn: Conditions
    probe: Probe
    path: ScanPath
    field: Field
    scene: Scene
    places_px: NDArray[np.float64]
    """Where the columns are seen."""
    cross_sections: NDArray[np.float64]
    """Scattering of each column in nm^2."""
    atoms: Spectrum
    """The scattering power on the grid."""
    crystal: Spectrum
    """The same through the probe: electrons in each pixel at 1 electron per nm^2."""


def simulate_stem(settings: STEMSettings | None = None, seed: int | Sequence[int] = 0) -> STEMImage:
    """Simulate one ADF-STEM image and its truth.

    Parameters
    ----------
    settings
        Specimen, probe, scan and detector; what they leave open is drawn.
    seed
        Of everything random; the same settings and seed give the same image. Conditions, specimen, surroundings and
        noise are drawn apart: another dose shows the same specimen.

    Raises
    ------
    UserError
        If the crystal or its zone axis cannot be used, or the probe is too narrow for the pixels.

    """
    settings = settings or STEMSettings()
    # a stream for each part, so that another dose or detector shows the same specimen
    streams = [np.random.default_rng(part) for part in np.random.SeedSequence(seed).spawn(5)]
    view = _view(settings, streams[0], streams[1])
    drawn, field = view.drawn, view.field
    peak = field.highest(view.crystal)
    dose = _dose(settings, view, peak, streams[2])
    carbon_nm = _carbon_nm(settings, view.scene, streams[2])
    crystal = view.crystal * np.float32(dose)
    around = _carbon(view, carbon_nm, streams[3]) * np.float32(dose)
    around += _background(drawn.background * peak * dose, field, streams[3])
    whole = crystal + render.transform(around)
    image, no_noise, no_background = render.record_scan(crystal, whole, field, drawn, streams[4])
    blur = gaussian(*field.frequencies, drawn.smoothing_px * field.pixel_nm * FWHM_PER_SIGMA)
    columns = view.scene.columns
    inside = ((view.places_px > -0.5) & (view.places_px < settings.size_px - 0.5)).all(axis=1)
    bright = view.cross_sections >= settings.mask_least * view.cross_sections.max(initial=0)
    return STEMImage(
        image=image,
        no_noise=no_noise,
        no_background=no_background,
        sharp=_sharp(view, float(no_background.max())),
        fine=field.doubled(crystal * blur * lag_transfer(np.fft.rfftfreq(field.n), drawn.lag)),
        places_px=view.places_px[inside],
        electrons=view.cross_sections[inside] * dose,
        atoms=columns.atoms[inside],
        mean_z=columns.mean_z[inside],
        in_masks=bright[inside],
        mask_places_px=view.places_px[bright],
        pixel_size_nm=drawn.pixel_size_nm,
        mask_radius_px=_mask_radius_px(settings, view),
        parameters=_parameters(view, dose, carbon_nm),
    )


def _view(settings: STEMSettings, conditions: np.random.Generator, specimen: np.random.Generator) -> _View:
    """Put a specimen under a probe."""
    drawn = draw_conditions(settings, conditions)
    probe, path = _draw_probe(drawn, conditions), _draw_path(settings, drawn, conditions)
    field = Field.around(settings.size_px, drawn.pixel_size_nm, probe.reach_nm + _MARGIN_NM)
    slack = 1.5 * drawn.drift_nm + drawn.flyback_nm
    scene = draw_scene(settings, drawn, (field.edges_nm[0] - slack, field.edges_nm[1] + slack), specimen)
    drawn = resolving(drawn, settings, scene.spacing_nm)
    probe = replace(probe, fwhm_nm=drawn.probe_fwhm_nm)
    places = path.image_of(scene.columns.places) / field.pixel_nm
    cross_sections = scene.columns.strength * (GOLD_CROSS_SECTION_NM2 / 79**drawn.z_exponent)
    atoms = render.points_spectrum(places, cross_sections, scene.columns.lean / field.pixel_nm, field)
    atoms *= gaussian(*field.frequencies, _OBJECT_FWHM_NM)
    crystal = atoms * probe.transfer(*field.frequencies)
    return _View(drawn, probe, path, field, scene, places, cross_sections, atoms, crystal)


def _draw_probe(drawn: Conditions, rng: np.random.Generator) -> Probe:
    """The probe, long in any direction."""
    return Probe(
        drawn.probe_fwhm_nm,
        drawn.probe_ellipticity,
        float(rng.uniform(0, np.pi)),
        drawn.probe_tails,
        drawn.defocus_nm,
        drawn.focal_spread_nm,
        drawn.convergence_mrad,
    )


def _draw_path(settings: STEMSettings, drawn: Conditions, rng: np.random.Generator) -> ScanPath:
    """The scan, with drift in any direction and the start of the lines displaced to either side."""
    towards, side = rng.uniform(0, 2 * np.pi), rng.choice((-1.0, 1.0))
    drift = (drawn.drift_nm * float(np.sin(towards)), drawn.drift_nm * float(np.cos(towards)))
    return ScanPath(settings.size_px * drawn.pixel_size_nm, drift, float(side) * drawn.flyback_nm)


def _dose(settings: STEMSettings, view: _View, peak: float, rng: np.random.Generator) -> float:
    """Electrons per nm^2: as asked, or enough for columns to stand out from the shot noise as drawn.

    A column's signal is its height above its surroundings times the area of the probe, its noise the root of all
    electrons there (the criterion of A. Rose, *J. Opt. Soc. Am.* 38 (1948) 196, doi:10.1364/JOSA.38.000196).
    """
    low, high = _SIGNAL_TO_NOISE
    wanted = low * (high / low) ** float(rng.random())  # drawn in any case: what is given must not shift other draws
    if settings.dose_per_nm2 is not None:
        return settings.dose_per_nm2
    if not view.scene.columns.atoms.size:
        return _DOSE_WITHOUT_ATOMS
    local = view.crystal * (1 - gaussian(*view.field.frequencies, _LOCAL_NM))
    height = max(view.field.highest(local), 1e-6 * peak)
    pixels = np.pi / (4 * np.log(2)) * (view.drawn.probe_fwhm_nm / view.field.pixel_nm) ** 2
    electrons = wanted**2 * (1 + view.drawn.background) * (peak / height) ** 2 / pixels
    return float(np.clip(electrons, *_PEAK_ELECTRONS)) / peak


def _carbon_nm(settings: STEMSettings, scene: Scene, rng: np.random.Generator) -> float:
    """Thickness of the amorphous carbon: a support for particles, else contamination, less on atomic sheets."""
    share = float(rng.random())
    if settings.carbon_nm is not None:
        return settings.carbon_nm
    if scene.layered:
        return 0.15 * share**2
    return 1 + 5 * share if scene.details["specimen"] == "particles" else 3 * share**2


def _carbon(view: _View, carbon_nm: float, rng: np.random.Generator) -> Floats32:
    """Amorphous carbon through the probe, at 1 electron per nm^2, ``(n, n)``."""
    cross_section = GOLD_CROSS_SECTION_NM2 * (6 / 79) ** view.drawn.z_exponent
    transfer = view.probe.transfer(*view.field.frequencies)
    return render.carbon_film(carbon_nm, cross_section, view.field, transfer, rng)


def _background(height: float, field: Field, rng: np.random.Generator) -> Floats32:
    """Slowly varying background between 0 and `height` electrons, ``(n, n)``."""
    period = _BACKGROUND_PERIOD * field.size_px * field.pixel_nm
    wave = 1 / (1 + np.exp(-1.5 * render.slow_field(field, period, rng)))
    return np.asarray(height * wave, np.float32)


def _sharp(view: _View, peak: float) -> Floats32:
    """The crystal through a probe half as wide, but of 1.5 pixels at least, without tails, scaled to a peak."""
    fwhm = max(_SHARPER * view.drawn.probe_fwhm_nm, _SHARPEST_PX * view.field.pixel_nm)
    sharp = view.field.image(view.atoms * gaussian(*view.field.frequencies, fwhm))
    return sharp * np.float32(peak / max(float(sharp.max()), 1e-30))


def _mask_radius_px(settings: STEMSettings, view: _View) -> float:
    """Radius of the masks' discs."""
    radius = settings.mask_radius_nm or min(_MASK_SHARE * view.scene.spacing_nm, _WIDEST_MASK_NM)
    return max(radius / view.field.pixel_nm, _SMALLEST_MASK_PX)


def _parameters(view: _View, dose: float, carbon_nm: float) -> Parameters:
    """Plain record of what was drawn."""
    scene = view.scene
    return {
        "crystal": scene.crystal,
        "zone_axes": [list(axis) for axis in scene.zone_axes],
        **scene.details,
        **asdict(view.drawn),
        "dose_per_nm2": dose,
        "carbon_nm": carbon_nm,
        "probe_angle_rad": view.probe.angle,
        "drift_yx_nm": list(view.path.drift_nm),
        "flyback_x_nm": view.path.flyback_nm,
    }
