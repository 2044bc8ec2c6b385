"""A planner at the wheel: the world as planner samples, and pedals and wheel as its answer, through `carla.Client`."""

from phipd_sim2real.driving.drive import Control, Drive, Moment
from phipd_sim2real.driving.routes import Route
from phipd_sim2real.driving.server import Server, drive_server
from phipd_sim2real.driving.settings import DrivingSettings

__all__ = ["Control", "Drive", "DrivingSettings", "Moment", "Route", "Server", "drive_server"]
