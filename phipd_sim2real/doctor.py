"""What this machine can do, and the command that mends what it cannot."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import platform
import shutil
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from phipd_sim2real.errors import UsageError

State = Literal["ok", "absent", "broken"]


@dataclass(frozen=True)
class Finding:
    """One checked ability.

    Attributes:
        name: what was checked.
        state: `ok`; `absent`, so that the named stages cannot run; `broken`, so that nothing can.
        detail: what was found.
        mend: the command or step that mends it, empty where nothing is to be mended.
    """

    name: str
    state: State
    detail: str
    mend: str = ""

    def as_json(self) -> dict[str, str]:
        """The finding as plain values."""
        return asdict(self)


def examine() -> list[Finding]:
    """Checks interpreter, packages, accelerator, shipped weights and disk; starts nothing, reaches no network."""
    return [
        _python(),
        _package("torch", "every model", "make setup", state="broken"),
        _package("diffusers", "enhancement", "make setup", state="broken"),
        _package("carla", "capture and the simulator", "make setup EXTRAS=carla,waymo,dev"),
        _package("embreex", "the simulator's pictures", "make setup EXTRAS=carla,waymo,dev"),
        _package("waymo-open-dataset-tf-2-12-0", "Waymo records", "make setup EXTRAS=carla,waymo,dev"),
        _package("tensorflow-cpu", "gs:// paths and the official v2 reader", "make setup EXTRAS=carla,waymo,dev"),
        _package("prefect", "scheduled flows", "make setup", state="broken"),
        _accelerator(),
        _shipped_weights(),
        _disk(),
        _endpoint(),
    ]


def _python() -> Finding:
    version = platform.python_version()
    if (3, 11) <= sys.version_info[:2] < (3, 13):
        return Finding("python", "ok", f"{version}, {os.cpu_count()} cores")
    return Finding("python", "broken", f"{version}; 3.11 or 3.12 is needed", "make clean setup PYTHON=python3.11")


def _package(distribution: str, use: str, mend: str, state: State = "absent") -> Finding:
    try:
        return Finding(distribution, "ok", importlib.metadata.version(distribution))
    except importlib.metadata.PackageNotFoundError:
        return Finding(distribution, state, f"not installed; {use} cannot run", mend)


def _accelerator() -> Finding:
    if importlib.util.find_spec("torch") is None:
        return Finding("accelerator", "absent", "unknown without torch", "make setup")
    import torch

    if torch.cuda.is_available():
        device = torch.cuda.get_device_properties(0)
        return Finding("accelerator", "ok", f"{device.name}, {device.total_memory / 2**30:.0f} GiB")
    detail = f"no CUDA device; models run on {torch.get_num_threads()} CPU threads"
    return Finding("accelerator", "absent", detail, "install an NVIDIA driver and a CUDA build of torch")


def _shipped_weights() -> Finding:
    folder = Path(__file__).parent / "weights" / "street-small"
    size = sum(file.stat().st_size for file in folder.rglob("*.safetensors"))
    if size:
        return Finding("street-small", "ok", f"{size / 1e6:.1f} MB in the package")
    mend = "the two commands in configs/models/street-small.yaml"
    return Finding("street-small", "absent", "no shipped weights found", mend)


def _disk() -> Finding:
    free = shutil.disk_usage(Path.cwd()).free / 2**30
    if free >= 2:
        return Finding("disk", "ok", f"{free:.0f} GiB free here")
    return Finding("disk", "absent", f"{free:.1f} GiB free here; the demo writes 0.3 GiB", "free some space")


def _endpoint() -> Finding:
    host, port = os.environ.get("CARLA_HOST"), os.environ.get("CARLA_PORT", "2000")
    if not port.isdecimal():
        return Finding(
            "CARLA server", "absent", f"CARLA_PORT is {port!r}, which is no number", "export CARLA_PORT=2000"
        )
    if host is None:
        return Finding(
            "CARLA server",
            "absent",
            "CARLA_HOST is not set; the simulator stands in",
            "export CARLA_HOST=host",
        )
    from phipd_sim2real.capture.connection import connect

    try:
        version = connect(host, int(port), wait_s=3.0).get_server_version()
    except UsageError as error:
        return Finding("CARLA server", "absent", str(error), "start the server, then run this again")
    return Finding("CARLA server", "ok", f"{host}:{port} answers as CARLA {version}")
