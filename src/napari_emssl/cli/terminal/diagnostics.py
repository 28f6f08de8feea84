"""``napari-emssl diagnostics``: what a report of a fault has to say."""

from ...diagnostics import describe_system, without_names


def diagnostics() -> None:
    """Print versions, machine and device, without names of people and folders."""
    print(describe_system(without_names(_device())))


def _device() -> str:
    """Which device jobs run on, or why torch cannot tell."""
    try:
        from ...jobs.devices import choose_device
        from ...jobs.settings import DeviceSettings

        device = choose_device(DeviceSettings())
    except Exception as error:  # libraries that do not load fail in many ways, and this very line is to tell
        return f"Device: torch cannot be used ({type(error).__name__}: {error})"
    return " ".join(filter(None, (f"Device: {device.label}.", device.reason)))
