"""Blueprints of sensors: CARLA 0.9.16's names, types and defaults, and a few attributes of our own."""

from __future__ import annotations

from collections.abc import Mapping

from phipd_sim2real.errors import UsageError
from phipd_sim2real.simulator.attributes import Attribute, AttributeType
from phipd_sim2real.simulator.optics import DIRECTIONS, Optics, Readout, pinhole

CAMERAS = ("rgb", "depth", "semantic_segmentation", "instance_segmentation", "optical_flow", "normals")
"""Kinds of `sensor.camera.*`."""

COMPUTED_BY_CLIENTS = "sensor.other.lane_invasion"
"""The sensor that a client works out from its map and the snapshots; it has no stream."""

INTRINSIC = ("focal_x", "focal_y", "centre_x", "centre_y", "k1", "k2", "p1", "p2", "k3")
"""Our cameras' attributes for Waymo's lens; focal_x 0 asks for the pinhole that `fov` says."""

GLOBAL_SHUTTER = "GLOBAL_SHUTTER"

_MOUNTED = ("front", "back", "left", "right", "front_left", "front_right", "back_left", "back_right")
_ANY = (-1e9, 1e9)
_POSITIVE = (0.0, 1e9)
_SHARE = (0.0, 1.0)


def sensor_attributes(looks: tuple[str, ...]) -> dict[str, list[Attribute]]:
    """Attributes of every sensor by type id.

    Args:
        looks: the renderer's families of appearance; the first is the RGB camera's default.
    """
    look = Attribute("look", AttributeType.STRING, looks[0], looks, True, True)
    kinds = {f"sensor.camera.{kind}": [*_camera(), *([look] if kind == "rgb" else [])] for kind in CAMERAS}
    return kinds | {
        "sensor.lidar.ray_cast": [*_lidar(), *_lidar_noise()],
        "sensor.lidar.ray_cast_semantic": _lidar(),
        "sensor.other.radar": _radar(),
        "sensor.other.imu": _noisy("accel_stddev_x accel_stddev_y accel_stddev_z gyro_stddev_x gyro_stddev_y "
                                   "gyro_stddev_z gyro_bias_x gyro_bias_y gyro_bias_z"),
        "sensor.other.gnss": _noisy("lat_stddev lat_bias lon_stddev lon_bias alt_stddev alt_bias"),
        "sensor.other.obstacle": _obstacle(),
        "sensor.other.collision": [_role(_MOUNTED)],
        "sensor.other.lane_invasion": [_role(_MOUNTED)],
    }  # fmt: skip


def intrinsic(attributes: Mapping[str, str]) -> tuple[float, ...] | None:
    """Waymo's nine intrinsics of a camera's attributes; None for a pinhole.

    The focal length in v and the principal point, where left at 0, are those of square pixels and the middle.
    """
    values = [float(attributes[name]) for name in INTRINSIC]
    width, height = int(attributes["image_size_x"]), int(attributes["image_size_y"])
    if not any(values):
        return None
    plain = pinhole(width, height, float(attributes["fov"]))
    f_u = values[0] or plain.f_u
    return (f_u, values[1] or f_u, values[2] or plain.c_u, values[3] or plain.c_v, *values[4:])


def readout(attributes: Mapping[str, str]) -> Readout | None:
    """The rolling shutter of a camera's attributes; None without one."""
    direction, duration_s = attributes["readout_direction"], float(attributes["readout_s"])
    return None if direction == GLOBAL_SHUTTER or duration_s == 0.0 else Readout(direction, duration_s)


def require_sound(type_id: str, attributes: Mapping[str, str]) -> None:
    """Checks what no single attribute shows.

    Raises:
        UsageError: a lens that folds the picture, or a lidar with its highest laser below its lowest.
    """
    if type_id.startswith("sensor.camera."):
        numbers = intrinsic(attributes)
        if numbers is not None:
            Optics(int(attributes["image_size_x"]), int(attributes["image_size_y"]), *numbers).require_sound()
    if type_id.startswith("sensor.lidar.") and float(attributes["lower_fov"]) > float(attributes["upper_fov"]):
        raise UsageError(
            f"lower_fov={attributes['lower_fov']} is above upper_fov={attributes['upper_fov']}; exchange them"
        )


def _number(name: str, value: str, bounds: tuple[float, float] = _ANY) -> Attribute:
    kind = AttributeType.FLOAT if "." in value else AttributeType.INT
    return Attribute(name, kind, value, (value,), True, bounds=bounds)


def _role(names: tuple[str, ...] = ("default",)) -> Attribute:
    return Attribute("role_name", AttributeType.STRING, names[0], names, True)


def _tick() -> Attribute:
    return _number("sensor_tick", "0.0", _POSITIVE)


def _camera() -> list[Attribute]:
    """CARLA's, with its lens effect off and fixed, and our own for Waymo's lens and rolling shutter."""
    fixed = {
        "lens_circle_falloff": "5.0",
        "lens_circle_multiplier": "0.0",
        "lens_k": "-1.0",
        "lens_kcube": "0.0",
        "lens_x_size": "0.08",
        "lens_y_size": "0.08",
    }
    directions = (GLOBAL_SHUTTER, *DIRECTIONS)
    return [
        _number("image_size_x", "800", (1, 8192)),
        _number("image_size_y", "600", (1, 8192)),
        _number("fov", "90.0", (1.0, 170.0)),
        *(Attribute(name, AttributeType.FLOAT, value, (value,), True, True) for name, value in fixed.items()),
        *(_number(name, "0.0", _POSITIVE if name in INTRINSIC[:4] else _ANY) for name in INTRINSIC),
        Attribute("readout_direction", AttributeType.STRING, GLOBAL_SHUTTER, directions, True, True),
        _number("readout_s", "0.0", (0.0, 1.0)),
        _tick(),
        _role(_MOUNTED),
    ]


def _lidar() -> list[Attribute]:
    return [
        _number("channels", "32", (1, 1024)),
        _number("range", "10.0", (0.1, 1000.0)),
        _number("points_per_second", "56000", (1, 1e7)),
        _number("rotation_frequency", "10.0", _POSITIVE),
        _number("upper_fov", "10.0", (-90.0, 90.0)),
        _number("lower_fov", "-30.0", (-90.0, 90.0)),
        _number("horizontal_fov", "360.0", (0.1, 360.0)),
        _tick(),
        _role(_MOUNTED),
    ]


def _lidar_noise() -> list[Attribute]:
    return [
        _number("atmosphere_attenuation_rate", "0.004", _POSITIVE),
        _number("dropoff_general_rate", "0.45", _SHARE),
        _number("dropoff_intensity_limit", "0.8", (1e-6, 1.0)),
        _number("dropoff_zero_intensity", "0.4", _SHARE),
        _number("noise_seed", "0"),
        _number("noise_stddev", "0.0", _POSITIVE),
    ]


def _radar() -> list[Attribute]:
    angle = (0.1, 170.0)
    return [
        Attribute("horizontal_fov", AttributeType.FLOAT, "30", ("30",), True, bounds=angle),
        Attribute("vertical_fov", AttributeType.FLOAT, "30", ("30",), True, bounds=angle),
        Attribute("range", AttributeType.FLOAT, "100", ("100",), True, bounds=(0.1, 1000.0)),
        _number("points_per_second", "1500", (1, 1e7)),
        _number("noise_seed", "0"),
        _tick(),
        _role(),
    ]


def _noisy(names: str) -> list[Attribute]:
    noise = [_number(f"noise_{name}", "0.0", _POSITIVE if "stddev" in name else _ANY) for name in names.split()]
    return [_number("noise_seed", "0"), *noise, _tick(), _role()]


def _obstacle() -> list[Attribute]:
    return [
        Attribute("distance", AttributeType.FLOAT, "5", ("5",), True, bounds=(0.0, 1000.0)),
        _number("hit_radius", "0.5", (0.0, 50.0)),
        Attribute("only_dynamics", AttributeType.BOOL, "False", ("False",), True),
        Attribute("debug_linetrace", AttributeType.BOOL, "False", ("False",), True),
        _tick(),
        _role(_MOUNTED),
    ]
