"""Complete data sets from the literature, one row a run, with the places where their results are printed."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd

from attnae.reading.read import read_logs
from tests.reading.event_logs import write_study


def standard_order(names: list[str], responses: list[float]) -> pd.DataFrame:
    """A 2^k factorial in Yates' order: the first factor changes fastest; levels -1 and 1."""
    signs = [signs[::-1] for signs in product((-1, 1), repeat=len(names))]
    return pd.DataFrame(signs, columns=names).assign(response=responses)


def grid(first: str, second: str, cells: dict[tuple[object, object], list[float]]) -> pd.DataFrame:
    rows = [(a, b, y) for (a, b), values in cells.items() for y in values]
    return pd.DataFrame(rows, columns=[first, second, "response"])


def through_event_files(directory: Path, table: pd.DataFrame, factors: list[str]) -> pd.DataFrame:
    """The table as it comes back from event files: responses are float32, numbers are floats."""
    write_study(directory, table, factors)
    return pd.DataFrame(
        {
            "run": run.name,
            "status": run.status,
            **run.hparams,
            "response": run.scalars["test/loss"].values[-1],
        }
        for run in read_logs(directory)
    )


# Montgomery, Design and Analysis of Experiments (8th ed.), example 6.2: filtration rate, 2^4, one run a cell.
FILTRATION = standard_order(["A", "B", "C", "D"], [45, 71, 48, 65, 68, 60, 80, 65, 43, 100, 45, 104, 75, 86, 70, 96])
FILTRATION_EFFECTS = {
    "A": 21.625, "B": 3.125, "C": 9.875, "D": 14.625, "A:B": 0.125, "A:C": -18.125, "A:D": 16.625,
    "B:C": 2.375, "B:D": -0.375, "C:D": -1.125, "A:B:C": 1.875, "A:B:D": 4.125, "A:C:D": -1.625,
    "B:C:D": -2.625, "A:B:C:D": 1.375,
}  # fmt: skip

# The half of it with I = ABCD, example 8.1.
HALF_FRACTION = FILTRATION[FILTRATION[["A", "B", "C", "D"]].prod(axis=1) == 1].reset_index(drop=True)

# Box, Hunter & Hunter, Statistics for Experimenters (1978), table 10.1: pilot plant, 2^3 in two replicates.
PILOT_PLANT = pd.concat(
    [
        standard_order(["T", "C", "K"], [59, 74, 50, 69, 50, 81, 46, 79]),
        standard_order(["T", "C", "K"], [61, 70, 58, 67, 54, 85, 44, 81]),
    ],
    ignore_index=True,
)
PILOT_PLANT_EFFECTS = {"T": 23.0, "C": -5.0, "K": 1.5, "T:C": 1.5, "T:K": 10.0, "C:K": 0.0}

# Box, Hunter & Hunter (1978), table 10.8: process development, 2^4, one run a cell.
PROCESS = standard_order(["K", "T", "P", "C"], [71, 61, 90, 82, 68, 61, 87, 80, 61, 50, 89, 83, 59, 51, 85, 78])
PROCESS_EFFECTS = {
    "K": -8.0, "T": 24.0, "P": -2.25, "C": -5.5, "K:T": 1.0, "K:P": 0.75, "K:C": 0.0, "T:P": -1.25,
    "T:C": 4.5, "P:C": -0.25, "K:T:P": -0.75, "K:T:C": 0.5, "K:P:C": -0.25, "T:P:C": -0.75, "K:T:P:C": -0.25,
}  # fmt: skip

# Montgomery (8th ed.), example 5.1: life of batteries of three materials at three temperatures, four each.
BATTERY = grid(
    "material",
    "temperature",
    {
        ("1", 15): [130, 155, 74, 180], ("1", 70): [34, 40, 80, 75], ("1", 125): [20, 70, 82, 58],
        ("2", 15): [150, 188, 159, 126], ("2", 70): [136, 122, 106, 115], ("2", 125): [25, 70, 58, 45],
        ("3", 15): [138, 110, 168, 160], ("3", 70): [174, 120, 150, 139], ("3", 125): [96, 104, 82, 60],
    },
)  # fmt: skip

# Montgomery (8th ed.), example 4.1: vascular grafts, four pressures in six batches of resin (blocks).
GRAFTS = pd.DataFrame(
    [
        (pressure, batch, y)
        for pressure, values in {
            8500: [90.3, 89.2, 98.2, 93.9, 87.4, 97.9],
            8700: [92.5, 89.5, 90.6, 94.7, 87.0, 95.8],
            8900: [85.5, 90.8, 89.6, 86.2, 88.0, 93.4],
            9100: [82.5, 89.5, 85.6, 87.4, 78.9, 90.7],
        }.items()
        for batch, y in enumerate(values, start=1)
    ],
    columns=["pressure", "seed", "response"],
)

# Crampton (1947), R's ToothGrowth: length of teeth, two supplements at three doses, ten each.
TOOTH_GROWTH = grid(
    "supp",
    "dose",
    {
        ("VC", 0.5): [4.2, 11.5, 7.3, 5.8, 6.4, 10, 11.2, 11.2, 5.2, 7],
        ("VC", 1.0): [16.5, 16.5, 15.2, 17.3, 22.5, 17.3, 13.6, 14.5, 18.8, 15.5],
        ("VC", 2.0): [23.6, 18.5, 33.9, 25.5, 26.4, 32.5, 26.7, 21.5, 23.3, 29.5],
        ("OJ", 0.5): [15.2, 21.5, 17.6, 9.7, 14.5, 10, 8.2, 9.4, 16.5, 9.7],
        ("OJ", 1.0): [19.7, 23.3, 23.6, 26.4, 20, 25.2, 25.8, 21.2, 14.5, 27.3],
        ("OJ", 2.0): [25.5, 26.4, 22.4, 24.5, 24.8, 30.9, 26.4, 27.3, 29.4, 23],
    },
)

# Tippett (1950), R's warpbreaks: breaks of yarn, two wools at three tensions, nine each.
WARP_BREAKS = grid(
    "wool",
    "tension",
    {
        ("A", "L"): [26, 30, 54, 25, 70, 52, 51, 26, 67], ("A", "M"): [18, 21, 29, 17, 12, 18, 35, 30, 36],
        ("A", "H"): [36, 21, 24, 18, 10, 43, 28, 15, 26], ("B", "L"): [27, 14, 29, 19, 29, 31, 41, 20, 44],
        ("B", "M"): [42, 26, 19, 16, 39, 28, 21, 39, 29], ("B", "H"): [20, 21, 24, 17, 13, 15, 15, 16, 28],
    },
)  # fmt: skip

# Moore & Krupat (1971), the Moore data of Fox & Weisberg's carData: conformity by status, authoritarianism.
MOORE = grid(
    "partner_status",
    "fcategory",
    {
        ("low", "low"): [8, 7, 10, 6, 13, 12, 7, 6, 8, 12], ("low", "medium"): [12, 4, 4, 9],
        ("low", "high"): [4, 8, 13, 9, 24, 7, 23, 13], ("high", "low"): [21, 23, 15, 12, 16],
        ("high", "medium"): [12, 17, 14, 16, 20, 8, 14, 17, 7, 17, 15],
        ("high", "high"): [19, 9, 7, 11, 14, 13, 10],
    },
)  # fmt: skip

# NIST StRD analysis of variance, SiRstv: resistance of silicon by five instruments.
SILICON = pd.DataFrame(
    {
        "instrument": np.repeat(["1", "2", "3", "4", "5"], 5),
        "response": [
            196.3052, 196.1240, 196.1890, 196.2569, 196.3403, 196.3042, 196.3825, 196.1669, 196.3257,
            196.0422, 196.1303, 196.2005, 196.2889, 196.0343, 196.1811, 196.2795, 196.1748,
            196.1494, 196.1485,
            195.9885, 196.2119, 196.1051, 196.1850, 196.0052, 196.2090,
        ],
    }
)  # fmt: skip

# NIST StRD analysis of variance, AtmWtAg: atomic weight of silver by two instruments, seven constant digits.
SILVER = pd.DataFrame(
    {
        "instrument": np.repeat(["1", "2"], 24),
        "response": 107.868
        + 1e-7
        * np.array(
            [
                1568, 1465, 1572, 1785, 1446, 1903, 1526, 1494, 1616, 1587, 1519, 1486, 1419, 1569, 1508,
                1672, 1385, 1518, 1662, 1424, 1360, 1333, 1610, 1477, 1079, 1344, 1513, 1197, 1604,
                1385, 1642,
                1365, 1151, 1082, 1517, 1448, 1198, 1482, 1334, 1609, 1101, 1512, 1469, 1360, 1254,
                1261, 1450,
                1368,
            ]
        ),
    }
)  # fmt: skip

# Beall (1942), R's InsectSprays: insects left after six sprays, twelve plots each.
INSECT_SPRAYS = pd.DataFrame(
    [
        (spray, count)
        for spray, counts in {
            "A": [10, 7, 20, 14, 14, 12, 10, 23, 17, 20, 14, 13], "B": [11, 17, 21, 11, 16, 14, 17, 17, 19, 21, 7, 13],
            "C": [0, 1, 7, 2, 3, 1, 2, 1, 3, 0, 1, 4], "D": [3, 5, 12, 6, 4, 3, 5, 5, 5, 5, 2, 4],
            "E": [3, 5, 3, 5, 3, 6, 1, 1, 3, 2, 6, 4], "F": [11, 9, 15, 22, 15, 16, 13, 10, 26, 26, 24, 13],
        }.items()
        for count in counts
    ],
    columns=["spray", "response"],
)  # fmt: skip

# Montgomery (8th ed.), section 6.2: yield of a chemical process, reactant concentration (%) and catalyst (lb), thrice.
CHEMICAL = grid(
    "A",
    "B",
    {(15, 1): [28, 25, 27], (25, 1): [36, 32, 32], (15, 2): [18, 19, 23], (25, 2): [31, 30, 29]},
)
