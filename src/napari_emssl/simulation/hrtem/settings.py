"""Settings of simulated HRTEM images, written once; terminal, forms and records read them here."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator


class HRTEMSettings(BaseModel):
    """What is imaged, by which microscope, on which camera."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    size_px: int = Field(512, ge=64, le=4096, description="Edge of an image in pixels.")
    pixel_size_nm: float = Field(0.06, ge=0.01, le=0.5, description="Pixel size in nm.")
    particles_min: int = Field(8, ge=0, le=1000, description="Fewest particles in an image.")
    particles_max: int = Field(15, ge=0, le=1000, description="Most particles in an image.")
    diameter_min_nm: float = Field(2.0, ge=0.8, le=50, description="Smallest diameter of a particle in nm.")
    diameter_max_nm: float = Field(
        20.0,
        ge=0.8,
        le=50,
        description="Largest diameter of a particle in nm; less where the image is too small.",
    )
    sizes: Literal["lognormal", "uniform"] = Field("lognormal", description="Distribution of the diameters.")
    overlap: float = Field(
        0.2, ge=0, le=1, description="How far two particles may overlap: 0 not at all, 1 completely."
    )
    zone_axis_share: float = Field(
        0.5,
        ge=0,
        le=1,
        description="Share of particles with a low-index zone axis near the beam; the rest is random.",
    )
    zone_tilt_deg: float = Field(3.0, ge=0, le=30, description="Spread of the tilt away from the zone axis in degrees.")
    twin_share: float = Field(0.3, ge=0, le=1, description="Share of particles with a twin plane.")
    roughness_nm: float = Field(0.1, ge=0, le=1, description="Roughness of the particles' surface in nm.")
    carbon_nm: float = Field(10.0, ge=0, le=50, description="Mean thickness of the amorphous carbon film in nm.")
    carbon_unevenness: float = Field(
        0.25, ge=0, le=1, description="Spread of the film's thickness, as a share of it, over some nanometres."
    )
    carbon_density: float = Field(2.0, ge=1, le=3.5, description="Density of the carbon film in g/cm^3.")
    voltage_kv: float = Field(300.0, ge=60, le=400, description="Accelerating voltage in kV.")
    cs_mm: float = Field(1.2, ge=-0.1, le=5, description="Spherical aberration in mm.")
    defocus_min_nm: float = Field(
        55.0, ge=-1000, le=1000, description="Smallest defocus in nm; underfocus is positive."
    )
    defocus_max_nm: float = Field(
        150.0, ge=-1000, le=1000, description="Largest defocus in nm; underfocus is positive."
    )
    astigmatism_max_nm: float = Field(3.0, ge=0, le=200, description="Largest twofold astigmatism in nm.")
    focal_spread_nm: float = Field(3.5, ge=0, le=50, description="Spread of the focus (temporal coherence) in nm.")
    convergence_mrad: float = Field(
        0.15, ge=0, le=2, description="Half angle of the illumination (spatial coherence) in mrad."
    )
    aperture_mrad: float | None = Field(
        12.0,
        gt=0,
        le=50,
        description="Half angle of the objective aperture in mrad; none: all electrons pass.",
    )
    absorption_gold: float = Field(0.1, ge=0, le=1, description="Imaginary share of gold's scattering potential.")
    absorption_carbon: float = Field(0.03, ge=0, le=1, description="Imaginary share of carbon's scattering potential.")
    dose_per_nm2: float = Field(2e4, gt=0, le=1e8, description="Electrons per nm^2.")
    uneven_illumination: float = Field(0.15, ge=0, le=0.9, description="Fall-off of the illumination across the image.")
    camera_half_frequency: float = Field(
        0.3,
        ge=0,
        le=5,
        description="Cycles per pixel at which the camera's contrast is halved; 0: a perfect camera.",
    )
    read_noise: float = Field(2.0, ge=0, le=1000, description="Read-out noise of the camera in electrons per pixel.")
    slice_nm: float = Field(1.0, ge=0.1, le=5, description="Thickness of a slice of gold in the simulation in nm.")
    sampling_nm: float = Field(
        0.04,
        ge=0.005,
        le=0.1,
        description="Coarsest step of the simulated wave in nm; finer is slower and more accurate.",
    )

    @model_validator(mode="after")
    def _ranges_ascend(self) -> "HRTEMSettings":
        for low, high in (
            ("particles_min", "particles_max"),
            ("diameter_min_nm", "diameter_max_nm"),
            ("defocus_min_nm", "defocus_max_nm"),
        ):
            if getattr(self, low) > getattr(self, high):
                raise ValueError(f"{low} is greater than {high}. Swap them.")
        return self

    @property
    def field_nm(self) -> float:
        """Edge of the image in nm."""
        return self.size_px * self.pixel_size_nm
