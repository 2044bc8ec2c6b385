"""Serves the simulator: `python -m phipd_sim2real.simulator --map Riverside01 --port 0`."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import signal
import sys
from collections.abc import Sequence

from phipd_sim2real.errors import UsageError

PARENT_CHECK_S = 0.5


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs until SIGTERM, SIGINT or the end of the parent process.

    Args:
        arguments: command line without the program's name; None takes the process's own.

    Returns:
        0 at the end, 2 where the options cannot be served.
    """
    options = _parser().parse_args(arguments)
    try:
        asyncio.run(_serve(options))
    except ImportError as error:
        missing = f"the simulator needs the package {error.name}"
        print(f"error: {missing}; run `make setup`, or pip install 'phipd-sim2real[carla]'", file=sys.stderr)
        return 2
    except (UsageError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


def _parser() -> argparse.ArgumentParser:
    from phipd_sim2real.simulator.maps import MAPS

    parser = argparse.ArgumentParser(
        prog="phipd serve-simulator", description="Our CARLA-protocol simulator; it is not CARLA."
    )
    parser.add_argument("--map", default=next(iter(MAPS)), help=f"an .xodr file or one of {', '.join(MAPS)}")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on; there is no authentication")
    parser.add_argument(
        "--port", type=int, default=2000, help="RPC port, streams go to the next; 0 takes any free ones"
    )
    parser.add_argument("--seed", type=int, default=0, help="of scenery and camera grain")
    parser.add_argument("--stay", action="store_true", help="stay when the process that started this one ends")
    return parser


async def _serve(options: argparse.Namespace) -> None:
    from phipd_sim2real.simulator.maps import read_map
    from phipd_sim2real.simulator.server import Server
    from phipd_sim2real.simulator.wire import VERSION

    parent = os.getppid()
    road_map = read_map(options.map)
    end = asyncio.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(name, end.set)
    server = Server(road_map, options.seed)
    port = await server.start(options.host, options.port)
    print(
        json.dumps({"host": options.host, "port": port, "map": road_map.name, "version": VERSION, "pid": os.getpid()}),
        flush=True,
    )
    while not end.is_set() and (options.stay or os.getppid() == parent):
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(end.wait(), PARENT_CHECK_S)
    await server.stop()


if __name__ == "__main__":
    sys.exit(main())
