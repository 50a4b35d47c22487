"""Sums up the test reports (JUnit's XML) of one run and names what failed and what was skipped.

    summarize_reports.py FOLDER [FAILED PART …]

The last line reads `N passed, N failed`, with `, N skipped` when there are any. A part that failed
while no report of its name has a failed test, such as a build or a suite that crashed, counts as one
failed. Exits with 1 if anything failed or no test passed.
"""

from __future__ import annotations

import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path


def first_line(element: ElementTree.Element) -> str:
    """What an outcome says of itself."""
    text = element.get("message") or element.text or "no reason given"
    return text.strip().splitlines()[0]


def main(folder: Path, failed_parts: list[str]) -> int:
    passed = 0
    failed: list[str] = []
    skipped: list[str] = []
    explained: set[str] = set()
    for report in sorted(folder.glob("*.xml")):
        try:
            cases = list(ElementTree.parse(report).iter("testcase"))
        except ElementTree.ParseError:
            # A suite that was ended before its end; its part has failed.
            continue
        for case in cases:
            name = f"{case.get('classname')} {case.get('name')}"
            failure = case.find("failure")
            if failure is None:
                failure = case.find("error")
            skip = case.find("skipped")
            if failure is not None:
                failed.append(f"{name}: {first_line(failure)}")
                explained.add(report.stem)
            elif skip is not None:
                skipped.append(f"{name}: {first_line(skip)}")
            else:
                passed += 1

    failed += [f"{part}: see above" for part in failed_parts if part not in explained]
    for title, names in (("Skipped", skipped), ("Failed", failed)):
        if names:
            print(f"== {title}", *names, "", sep="\n")
    closing = f"{passed} passed, {len(failed)} failed"
    if skipped:
        closing += f", {len(skipped)} skipped"
    print(closing)
    return 0 if passed and not failed else 1


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2:]))
