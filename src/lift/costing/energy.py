"""Energy of what runs between two moments, where the machine has a meter: RAPL for processors, NVML for NVIDIA GPUs."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path

#: Linux shows each processor package's counter (microjoules, read by root unless the administrator allows more) here.
POWERCAP = Path("/sys/class/powercap")


class Meter:
    """Reads the counters of the whole machine's processors, and of one GPU with `device` cuda.

    What other programs take meanwhile is in it: two things are compared on a machine that does nothing else.
    """

    def __init__(self, device: str = "cpu", powercap: Path = POWERCAP) -> None:
        self.packages = sorted(powercap.glob("intel-rapl:[0-9]")) + sorted(powercap.glob("amd_energy:[0-9]"))
        self.wants_gpu = device.startswith("cuda")
        self.gpu = _gpu(device) if self.wants_gpu else None
        self.began = self._read()

    def joules(self) -> float | None:
        """Since the meter was made; None where there is none, or not all can be read."""
        now = self._read()
        if not now or now.keys() != self.began.keys():
            return None
        total = 0.0
        for name, (value, most) in now.items():
            before = self.began[name][0]
            total += value - before if value >= before else most - before + value  # the counter began again
        return total / 1e6

    def _read(self) -> dict[str, tuple[int, int]]:
        """Microjoules and the largest value of each counter; empty when one cannot be read."""
        found: dict[str, tuple[int, int]] = {}
        for package in self.packages:
            with contextlib.suppress(OSError, ValueError):
                value = int((package / "energy_uj").read_text())
                found[package.name] = (value, int((package / "max_energy_range_uj").read_text()))
        if len(found) < len(self.packages) or (self.wants_gpu and self.gpu is None):
            return {}
        if self.gpu is not None:
            found["gpu"] = (self.gpu(), 1 << 63)
        return found


def _gpu(device: str) -> Callable[[], int] | None:
    """What reads a GPU's counter in microjoules; None without NVML (`pip install nvidia-ml-py`) or its counter."""
    try:
        import pynvml

        pynvml.nvmlInit()
        handle = pynvml.nvmlDeviceGetHandleByIndex(int(device.partition(":")[2] or 0))
        pynvml.nvmlDeviceGetTotalEnergyConsumption(handle)
    except ImportError:
        return None
    except pynvml.NVMLError:
        return None
    return lambda: 1000 * int(pynvml.nvmlDeviceGetTotalEnergyConsumption(handle))
