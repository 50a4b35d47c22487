#!/usr/bin/env python3
"""Makes scenario.json from UCF-Crime's Temporal_Anomaly_Annotation.txt.

Usage: generate.py FILE > scenario.json

Needed only to make the scenario anew; the product reads scenario.json. The same input gives the
same output, byte by byte.
"""

import hashlib
import json
import sys
from pathlib import Path

FRAMES_PER_SECOND = 30

# The classes that are behaviour patterns of ours, as a node would report them.
PATTERNS = {
    "Abuse": "hitting",
    "Assault": "hitting",
    "Fighting": "fighting",
    "Robbery": "robbery",
    "Shooting": "weapon",
    "Vandalism": "vandalism",
}

# The others, which no node reports: what an observer who saw them would make of them.
CATEGORIES = {
    "Arrest": "criminal_offence",
    "Arson": "criminal_offence",
    "Burglary": "criminal_offence",
    "Explosion": "criminal_offence",
    "RoadAccidents": "hazard_prevention",
    "Shoplifting": "criminal_offence",
    "Stealing": "criminal_offence",
}

NORMAL = "Normal"

AREAS = [
    ("paradeplatz", "Paradeplatz"),
    ("alter-messplatz", "Alter Meßplatz"),
    ("bahnhofsvorplatz", "Bahnhofsvorplatz"),
    ("marktplatz", "Marktplatz"),
    ("plankenkopf", "Plankenkopf"),
    ("breite-strasse", "Breite Straße"),
    ("neckartor", "Neckartor"),
]

# The evening: the first incidents of the recordings begin one after the other within it.
EVENING_SECONDS = 540


def read_annotations(path: Path) -> list[tuple[str, str, list[tuple[int, int]]]]:
    """Recording, class and intervals in frames, both ends included, of each line."""
    recordings = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        if not line.strip():
            continue
        name, kind, *frames = line.split()
        if len(frames) != 4:
            sys.exit(f"{path}:{number}: expected a name, a class and four frames")
        first, last, first_again, last_again = map(int, frames)
        intervals = [
            (begin, end) for begin, end in ((first, last), (first_again, last_again)) if begin != -1
        ]
        if any(not 1 <= begin <= end for begin, end in intervals):
            sys.exit(f"{path}:{number}: an interval is no interval")
        if kind not in PATTERNS.keys() | CATEGORIES.keys() | {NORMAL}:
            sys.exit(f"{path}:{number}: unknown class {kind}")
        if (kind == NORMAL) == bool(intervals):
            sys.exit(f"{path}:{number}: a normal recording has no incident, each other one has")
        recordings.append((name, kind, intervals))
    return recordings


def shuffled(recordings: list) -> list:
    """In an order that has nothing to do with the class, and is always the same."""
    return sorted(recordings, key=lambda item: hashlib.sha256(item[0].encode()).digest())


def incident(kind: str, interval: tuple[int, int]) -> dict:
    described = {"class": kind, "frames": list(interval)}
    if kind in PATTERNS:
        described["pattern"] = PATTERNS[kind]
    else:
        described["category"] = CATEGORIES[kind]
    return described


def cameras(recordings: list) -> list[dict]:
    made = []
    eventful = [item for item in shuffled(recordings) if item[2]]
    step = EVENING_SECONDS / len(eventful)
    begin_of = {item[0]: index * step for index, item in enumerate(eventful)}
    for index, (name, kind, intervals) in enumerate(shuffled(recordings)):
        area, area_name = AREAS[index % len(AREAS)]
        number = index // len(AREAS) + 1
        camera = {
            "key": f"{area}-{number:02}",
            "area": area,
            "name": f"{area_name} {number}",
            "recording": name,
        }
        if intervals:
            # The camera has been recording before the evening begins, if need be.
            first_second = (intervals[0][0] - 1) / FRAMES_PER_SECOND
            camera["starts_at"] = round(begin_of[name] - first_second, 3)
            camera["incidents"] = [incident(kind, interval) for interval in intervals]
        made.append(camera)
    return sorted(made, key=lambda camera: camera["key"])


def main() -> None:
    if len(sys.argv) != 2:
        sys.exit(__doc__.strip())
    recordings = read_annotations(Path(sys.argv[1]))
    head = {
        "format": "leitstand-scenario/1",
        "source": "Temporal_Anomaly_Annotation.txt of WaqasSultani/AnomalyDetectionCVPR2018"
        " (Sultani, Chen, Shah: Real-world Anomaly Detection in Surveillance Videos, CVPR 2018)",
        "site": {"id": "mannheim", "name": "Mannheim", "time_zone": "Europe/Berlin"},
        "node": {"name": "Analyse-Modul 1", "model": "ucf-crime-annotations-2018"},
        "frames_per_second": FRAMES_PER_SECOND,
        "confidence": 0.9,
    }
    # A line for each area and camera, so that a change shows as what it is.
    parts = [f'"{name}": {compact(value)}' for name, value in head.items()]
    parts.append(lines("areas", [{"key": key, "name": name} for key, name in AREAS]))
    parts.append(lines("cameras", cameras(recordings)))
    print("{\n" + ",\n".join(parts) + "\n}")


def lines(name: str, items: list[dict]) -> str:
    return f'"{name}": [\n' + ",\n".join("  " + compact(item) for item in items) + "\n]"


def compact(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


if __name__ == "__main__":
    main()
