"""Settings of simulated ADF-STEM images, written once; terminal, forms and records read them here."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic.config import JsonDict

Law = Literal["even", "log", "low"]


def _drawn(low: float, high: float, law: Law, text: str, ge: float, le: float) -> float | None:
    """Return the field of a value that is drawn for each image where none is given; its help says from where.

    The type is that of the setting, as `pydantic.Field` pretends its own to be.
    """
    drawn: JsonDict = {"drawn": [low, high, law]}
    field: float | None = Field(
        None,
        description=f"{text}; none: from {low:g} to {high:g}, drawn for each image.",
        json_schema_extra=drawn,
        ge=ge,
        le=le,
    )
    return field


class STEMSettings(BaseModel):
    """What is imaged, with which probe, at which dose; what is not given varies from image to image."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    size_px: int = Field(256, ge=32, le=2048, description="Edge of an image in pixels.")
    pixel_size_nm: float | None = _drawn(0.007, 0.035, "log", "Pixel size in nm", ge=0.002, le=0.1)
    crystal: str = Field(
        "varied",
        description="A built-in crystal (such as Au, SrTiO3, MoS2), a CIF file, a kind of structure (fcc, bcc, hcp, "
        "rock-salt, diamond, zinc-blende, wurtzite, perovskite, fluorite, rutile, cu3au, graphite, boron-nitride, "
        "mos2) with elements and a_nm, or varied: any of the built-in ones.",
    )
    elements: str = Field("", description="Elements of a kind of structure, separated by commas, as in Sr,Ti,O.")
    a_nm: float | None = Field(None, gt=0.1, le=5, description="Lattice parameter a in nm.")
    c_nm: float | None = Field(None, gt=0.1, le=10, description="Lattice parameter c in nm, if it differs from a.")
    zone_axis: str = Field(
        "varied",
        description="Direction along the beam, as in 110 or 1,-1,2; varied: one that is usual for the crystal.",
    )
    specimen: Literal["varied", "crystal", "edge", "boundary", "particles"] = Field(
        "varied",
        description="Crystal that fills the image, edge of a crystal, grain boundary, or nanoparticles on carbon.",
    )
    thickness_nm: float | None = _drawn(1.5, 15, "log", "Thickness of a crystal in nm", ge=0.1, le=100)
    layers: int | None = Field(
        None, ge=1, le=20, description="Sheets of a layered crystal; none: 1 to 3, drawn for each image."
    )
    diameter_nm: float | None = _drawn(1.5, 7, "log", "Diameter of the largest nanoparticle in nm", ge=0.6, le=50)
    tilt_deg: float | None = _drawn(0, 0.8, "low", "Tilt of the crystal away from the beam in degrees", ge=0, le=5)
    vacancies: float | None = _drawn(0, 0.03, "low", "Share of the atoms that are missing", ge=0, le=0.5)
    disorder_nm: float | None = _drawn(0, 0.008, "low", "Static displacements of the columns in nm", ge=0, le=0.05)
    z_exponent: float = Field(1.7, ge=1, le=2, description="Intensity of an atom grows with this power of Z.")
    probe_fwhm_nm: float | None = _drawn(
        0.06, 0.15, "even", "Full width at half maximum of the probe's core in nm", ge=0.02, le=0.6
    )
    probe_ellipticity: float | None = _drawn(
        0, 0.15, "low", "How much longer than wide the probe is, from astigmatism", ge=0, le=1
    )
    probe_tails: float | None = _drawn(0, 0.35, "even", "Share of the current in the probe's tails", ge=0, le=0.9)
    defocus_nm: float | None = _drawn(0, 4, "low", "Defocus in nm", ge=0, le=100)
    focal_spread_nm: float | None = _drawn(0, 5, "even", "Spread of the focus in nm", ge=0, le=50)
    convergence_mrad: float = Field(22.0, ge=5, le=50, description="Half angle of the probe in mrad.")
    dose_per_nm2: float | None = Field(
        None,
        gt=0,
        le=1e12,
        description="Electrons per nm^2; none: enough for columns to stand out from the shot noise by 4 to 80 of its "
        "standard deviations, drawn for each image.",
    )
    background: float | None = _drawn(
        0, 0.6, "low", "Slowly varying background, in parts of the brightest column", ge=0, le=10
    )
    carbon_nm: float | None = Field(
        None,
        ge=0,
        le=50,
        description="Amorphous carbon above and below in nm; none: 1 to 6 with particles, else 0 to 3, 0.15 at most on "
        "atomic sheets, drawn for each image.",
    )
    flicker: float | None = _drawn(0, 0.04, "low", "Spread of the beam current from line to line", ge=0, le=0.5)
    gain_spread: float | None = _drawn(0, 0.6, "low", "Spread of the detector's response to one electron", ge=0, le=2)
    read_noise: float | None = _drawn(0, 0.6, "low", "Noise of the detector in electrons per pixel", ge=0, le=1000)
    lag: float | None = _drawn(
        0, 0.5, "low", "Share of a pixel's signal that the slow detector took from the pixel before", ge=0, le=0.8
    )
    smoothing_px: float | None = _drawn(
        0, 1.2, "low", "Blur of image and noise alike, as by resampling, in pixels", ge=0, le=3
    )
    hot_pixels: float | None = _drawn(0, 2e-4, "low", "Share of the pixels that are hot", ge=0, le=0.1)
    line_jitter_nm: float | None = _drawn(0, 0.03, "low", "Spread of the lines' displacements in nm", ge=0, le=0.5)
    drift_nm: float | None = _drawn(0, 0.15, "low", "Drift of the specimen during the scan in nm", ge=0, le=5)
    flyback_nm: float | None = _drawn(0, 0.1, "low", "Displacement at the start of each line in nm", ge=0, le=2)
    mask_radius_nm: float | None = Field(
        None,
        gt=0,
        le=0.3,
        description="Radius of the discs of the circular mask in nm; none: 0.4 of the least distance of two columns, "
        "0.06 at most.",
    )
    mask_least: float = Field(
        0.1, ge=0, le=1, description="Columns fainter than this share of the brightest are left out of the masks."
    )

    @model_validator(mode="after")
    def _parameters_have_a_crystal(self) -> "STEMSettings":
        own = [name for name in ("elements", "a_nm", "c_nm") if getattr(self, name)]
        if own and (self.crystal == "varied" or self.crystal.lower().endswith(".cif")):
            raise ValueError(f"{own[0]} needs a kind of crystal to go with it. Name one, such as fcc.")
        return self
