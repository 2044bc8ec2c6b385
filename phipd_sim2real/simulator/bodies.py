"""Sizes and masses of everything that can be spawned, under CARLA's ids; the numbers are our own."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Body:
    """Size and mass of a vehicle, a walker or a prop.

    Attributes:
        half_size: half length, width and height, metres.
        wheelbase: between the axles, metres; a vehicle's origin is midway between them, on the ground. 0 without.
        mass: kg.
        wheel_radius: metres, 0 without wheels.
        colours: paints on offer, "r,g,b".
    """

    half_size: tuple[float, float, float]
    wheelbase: float
    mass: float
    wheel_radius: float
    colours: tuple[str, ...]


@dataclass(frozen=True)
class VehicleKind:
    """A vehicle of the catalogue; the words are values of CARLA's attributes.

    Attributes:
        body: its size.
        base_type: `car`, `van`, `truck`, `bus`, `motorcycle` or `bicycle`.
        special_type: `emergency`, `taxi`, `electric` or nothing.
        generation: of CARLA's models.
        wheels: their number.
        doors: whether they open in CARLA; here they are accepted and not drawn.
        lamps: whether it has lights.
    """

    body: Body
    base_type: str = "car"
    special_type: str = ""
    generation: int = 1
    wheels: int = 4
    doors: bool = False
    lamps: bool = False


_PAINTS = ("224,224,220", "18,20,24", "120,124,128", "140,24,22", "24,48,110", "180,178,170", "52,70,58")
_BOLD = ("196,160,24", "20,104,140", "190,70,20")
_WHITE = ("230,230,226",)


def _two(length: float, height: float, wheelbase: float, mass: float, base_type: str) -> VehicleKind:
    body = Body((length / 2.0, 0.38, height / 2.0), wheelbase, mass, 0.32, _PAINTS[1:5])
    return VehicleKind(body, base_type, wheels=2, lamps=base_type == "motorcycle")


VEHICLES: dict[str, VehicleKind] = {
    "vehicle.tesla.model3": VehicleKind(
        Body((2.35, 0.93, 0.72), 2.88, 1750.0, 0.34, _PAINTS), "car", "electric", 2, doors=True, lamps=True
    ),
    "vehicle.lincoln.mkz_2020": VehicleKind(
        Body((2.45, 0.93, 0.74), 2.85, 1700.0, 0.35, _PAINTS), generation=2, doors=True, lamps=True
    ),
    "vehicle.audi.a2": VehicleKind(Body((1.91, 0.84, 0.77), 2.41, 1050.0, 0.30, _PAINTS)),
    "vehicle.audi.tt": VehicleKind(Body((2.09, 0.92, 0.68), 2.50, 1350.0, 0.33, _PAINTS + _BOLD), lamps=True),
    "vehicle.audi.etron": VehicleKind(Body((2.45, 0.97, 0.82), 2.93, 2500.0, 0.38, _PAINTS), "car", "electric"),
    "vehicle.bmw.grandtourer": VehicleKind(Body((2.28, 0.90, 0.82), 2.78, 1550.0, 0.33, _PAINTS)),
    "vehicle.citroen.c3": VehicleKind(Body((2.00, 0.87, 0.74), 2.54, 1150.0, 0.31, _PAINTS + _BOLD)),
    "vehicle.dodge.charger_2020": VehicleKind(
        Body((2.50, 0.95, 0.74), 3.05, 1900.0, 0.36, _PAINTS + _BOLD), generation=2, doors=True, lamps=True
    ),
    "vehicle.jeep.wrangler_rubicon": VehicleKind(Body((2.10, 0.94, 0.92), 2.46, 1900.0, 0.40, _PAINTS + _BOLD)),
    "vehicle.mercedes.coupe": VehicleKind(Body((2.35, 0.91, 0.70), 2.84, 1700.0, 0.34, _PAINTS)),
    "vehicle.mini.cooper_s": VehicleKind(Body((1.92, 0.86, 0.71), 2.50, 1250.0, 0.31, _PAINTS + _BOLD)),
    "vehicle.nissan.micra": VehicleKind(Body((1.90, 0.83, 0.76), 2.45, 1000.0, 0.30, _PAINTS + _BOLD)),
    "vehicle.nissan.patrol": VehicleKind(Body((2.55, 0.99, 0.95), 3.07, 2700.0, 0.40, _PAINTS)),
    "vehicle.seat.leon": VehicleKind(Body((2.14, 0.90, 0.73), 2.63, 1300.0, 0.32, _PAINTS)),
    "vehicle.toyota.prius": VehicleKind(Body((2.27, 0.88, 0.74), 2.70, 1400.0, 0.32, _PAINTS)),
    "vehicle.volkswagen.t2_2021": VehicleKind(
        Body((2.25, 0.90, 0.98), 2.45, 1500.0, 0.33, _PAINTS + _BOLD), "van", generation=2, doors=True, lamps=True
    ),
    "vehicle.mercedes.sprinter": VehicleKind(
        Body((2.95, 1.00, 1.30), 3.67, 2300.0, 0.36, _PAINTS), "van", generation=2, doors=True, lamps=True
    ),
    "vehicle.mitsubishi.fusorosa": VehicleKind(
        Body((3.50, 1.02, 1.35), 3.95, 4500.0, 0.40, _PAINTS), "bus", generation=2, doors=True, lamps=True
    ),
    "vehicle.chevrolet.impala": VehicleKind(Body((2.68, 0.95, 0.70), 2.88, 1750.0, 0.34, _PAINTS)),
    "vehicle.ford.mustang": VehicleKind(Body((2.36, 0.95, 0.65), 2.74, 1650.0, 0.35, _PAINTS + _BOLD), lamps=True),
    "vehicle.lincoln.mkz_2017": VehicleKind(Body((2.45, 0.93, 0.74), 2.85, 1700.0, 0.35, _PAINTS), lamps=True),
    "vehicle.mercedes.coupe_2020": VehicleKind(
        Body((2.34, 0.91, 0.71), 2.84, 1700.0, 0.34, _PAINTS), generation=2, doors=True, lamps=True
    ),
    "vehicle.micro.microlino": VehicleKind(Body((1.11, 0.74, 0.69), 1.57, 510.0, 0.27, _BOLD), "car", "electric"),
    "vehicle.mini.cooper_s_2021": VehicleKind(
        Body((2.28, 0.90, 0.78), 2.67, 1450.0, 0.33, _PAINTS + _BOLD), generation=2, doors=True, lamps=True
    ),
    "vehicle.nissan.patrol_2021": VehicleKind(
        Body((2.78, 1.07, 1.02), 3.08, 2700.0, 0.41, _PAINTS), generation=2, doors=True, lamps=True
    ),
    "vehicle.dodge.charger_police": VehicleKind(
        Body((2.49, 0.95, 0.78), 3.05, 1950.0, 0.36, _WHITE), "car", "emergency", lamps=True
    ),
    "vehicle.dodge.charger_police_2020": VehicleKind(
        Body((2.62, 0.96, 0.82), 3.05, 1950.0, 0.36, _WHITE), "car", "emergency", 2, doors=True, lamps=True
    ),
    "vehicle.ford.crown": VehicleKind(
        Body((2.68, 0.96, 0.79), 2.91, 1850.0, 0.35, ("222,176,32",)), "car", "taxi", 2, doors=True, lamps=True
    ),
    "vehicle.volkswagen.t2": VehicleKind(Body((2.24, 0.90, 0.98), 2.45, 1500.0, 0.33, _PAINTS), "van", lamps=True),
    "vehicle.ford.ambulance": VehicleKind(
        Body((3.18, 1.17, 1.21), 3.51, 3800.0, 0.39, _WHITE), "van", "emergency", 2, doors=True, lamps=True
    ),
    "vehicle.carlamotors.carlacola": VehicleKind(Body((2.60, 1.31, 1.24), 3.10, 5500.0, 0.42, ("176,20,20",)), "truck"),
    "vehicle.carlamotors.european_hgv": VehicleKind(
        Body((3.97, 1.45, 1.73), 3.80, 9000.0, 0.52, _PAINTS), "truck", generation=2, doors=True, lamps=True
    ),
    "vehicle.carlamotors.firetruck": VehicleKind(
        Body((4.23, 1.45, 1.91), 4.60, 12000.0, 0.52, ("176,20,20",)), "truck", "emergency", 2, doors=True, lamps=True
    ),
    "vehicle.tesla.cybertruck": VehicleKind(
        Body((3.14, 1.20, 1.05), 3.81, 3000.0, 0.44, ("168,172,176",)), "truck", "electric", 2
    ),
    "vehicle.harley-davidson.low_rider": _two(2.35, 1.63, 1.62, 320.0, "motorcycle"),
    "vehicle.kawasaki.ninja": _two(2.03, 1.52, 1.40, 240.0, "motorcycle"),
    "vehicle.vespa.zx125": _two(1.82, 1.62, 1.25, 180.0, "motorcycle"),
    "vehicle.yamaha.yzf": _two(2.19, 1.53, 1.41, 250.0, "motorcycle"),
    "vehicle.bh.crossbike": _two(1.49, 1.73, 1.05, 90.0, "bicycle"),
    "vehicle.diamondback.century": _two(1.65, 1.80, 1.02, 85.0, "bicycle"),
    "vehicle.gazelle.omafiets": _two(1.84, 1.78, 1.13, 95.0, "bicycle"),
}

_CLOTHES = ("58,72,96", "120,44,40", "70,70,74", "150,136,110", "44,84,60", "96,64,104", "36,38,44")
ADULT, CHILD = (0.19, 0.19, 0.93), (0.17, 0.17, 0.63)


def walker_body(number: int, age: str) -> Body:
    """Body of `walker.pedestrian.NNNN`; the clothes follow from the number."""
    half_size = CHILD if age == "child" else ADULT
    return Body(half_size, 0.0, 35.0 if age == "child" else 75.0, 0.0, (_CLOTHES[number % len(_CLOTHES)],))


# Half sizes in metres and mass in kg of a prop; what stays where it is has no mass that matters.
PROPS: dict[str, tuple[tuple[float, float, float], float]] = {
    "static.prop.trafficcone01": ((0.22, 0.22, 0.37), 4.0),
    "static.prop.trafficcone02": ((0.18, 0.18, 0.32), 3.0),
    "static.prop.constructioncone": ((0.17, 0.17, 0.29), 3.0),
    "static.prop.trafficwarning": ((0.60, 1.20, 1.40), 90.0),
    "static.prop.warningconstruction": ((0.30, 0.60, 0.60), 12.0),
    "static.prop.warningaccident": ((0.25, 0.45, 0.40), 5.0),
    "static.prop.streetbarrier": ((0.20, 0.60, 0.50), 25.0),
    "static.prop.chainbarrier": ((0.10, 0.75, 0.40), 20.0),
    "static.prop.barrel": ((0.29, 0.29, 0.46), 30.0),
    "static.prop.box01": ((0.30, 0.30, 0.30), 10.0),
    "static.prop.box02": ((0.35, 0.30, 0.25), 12.0),
    "static.prop.box03": ((0.25, 0.25, 0.20), 6.0),
    "static.prop.creasedbox01": ((0.30, 0.30, 0.22), 5.0),
    "static.prop.bench01": ((0.28, 0.85, 0.42), 60.0),
    "static.prop.bench02": ((0.30, 0.90, 0.45), 60.0),
    "static.prop.bin": ((0.28, 0.28, 0.50), 25.0),
    "static.prop.trashcan01": ((0.30, 0.30, 0.55), 30.0),
    "static.prop.trashcan02": ((0.35, 0.30, 0.50), 30.0),
    "static.prop.container": ((0.70, 1.20, 0.70), 400.0),
    "static.prop.clothcontainer": ((0.60, 0.60, 1.00), 250.0),
    "static.prop.busstop": ((0.90, 2.10, 1.35), 900.0),
    "static.prop.advertisement": ((0.15, 0.70, 1.25), 150.0),
    "static.prop.vendingmachine": ((0.40, 0.45, 0.95), 300.0),
    "static.prop.mailbox": ((0.25, 0.25, 0.60), 60.0),
    "static.prop.plantpot01": ((0.35, 0.35, 0.40), 40.0),
    "static.prop.shoppingcart": ((0.45, 0.28, 0.50), 25.0),
    "static.prop.shoppingtrolley": ((0.18, 0.22, 0.48), 6.0),
    "static.prop.travelcase": ((0.14, 0.24, 0.36), 15.0),
    "static.prop.gardenlamp": ((0.15, 0.15, 1.20), 20.0),
    "static.prop.dirtdebris01": ((0.70, 0.70, 0.10), 50.0),
}


def prop_body(type_id: str) -> Body:
    """Body of a prop."""
    half_size, mass = PROPS[type_id]
    orange = "cone" in type_id or "barrier" in type_id
    return Body(half_size, 0.0, mass, 0.0, ("196,92,32" if orange else "110,112,108",))
