"""Names of devices."""

from __future__ import annotations

import torch

from relax.errors import ArgumentError, first_line


def as_device(device: str | torch.device) -> torch.device:
    """Resolve a device and check that it is available.

    Raises:
        ArgumentError: the device does not exist or cannot allocate a tensor.
    """
    if not isinstance(device, (str, torch.device)):
        raise ArgumentError(f"expected `device` to be a name such as 'cpu' or 'cuda:0', got {device!r}")
    try:
        return torch.empty(0, device=torch.device(device)).device
    except (RuntimeError, AssertionError) as error:
        raise ArgumentError(f"device {str(device)!r} cannot be used here: {first_line(error)}") from error
