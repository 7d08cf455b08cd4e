#!/usr/bin/env python3
"""Makes the weather files beside this from the hourly data that the PyPI package pvlib ships.

    python3 -m pip download --no-deps pvlib==0.16.1 -d /tmp/wheel
    python3 tests/heat/weather-from-pvlib.py /tmp/wheel/pvlib-0.16.1-py3-none-any.whl

pvlib (BSD-3-Clause) has two TMY3 files of the US National Renewable Energy Laboratory (NREL/DOE National Solar Radiation Data Base
1991-2005 update, free to use and to hand on with credit): each month is a real one, hour by hour as measured, of the year that is
named in the file made here. October to April is kept: the air in tenths of a degree, beam and diffuse sun in W/m^2.
"""
import csv, io, pathlib, sys, zipfile

places = {"greensboro": "pvlib/data/723170TYA.CSV", "sand-point": "pvlib/data/703165TY.csv"}
months = ["10", "11", "12", "01", "02", "03", "04"]
wheel = zipfile.ZipFile(sys.argv[1])
for name, path in places.items():
    rows = list(csv.reader(io.StringIO(wheel.read(path).decode("ascii"))))
    station, head, hours = rows[0], rows[1], rows[2:]
    at = lambda start: next(i for i, title in enumerate(head) if title.startswith(start))
    air, beam, diffuse = at("Dry-bulb ("), at("DNI (W"), at("DHI (W")
    years = {hour[0][:2]: hour[0][6:] for hour in hours}
    lines = [
        f"# {station[1].title()}, {station[2]}, USA: TMY3 {station[0]}, NREL/DOE National Solar Radiation Data Base, as shipped in pvlib",
        "# months as measured in: " + " ".join(f"{m}/{years[m]}" for m in months),
        f"# latitude {station[4]} longitude {station[5]} zone {station[3]}",
        "# air 0.1 C, beam W/m2, diffuse W/m2; a line is the hour that ends",
    ]
    for month in months:
        for hour in hours:
            if hour[0][:2] == month:
                lines.append(f"{round(float(hour[air]) * 10)},{hour[beam]},{hour[diffuse]}")
    pathlib.Path(__file__).with_name(f"{name}.csv").write_text("\n".join(lines) + "\n")
