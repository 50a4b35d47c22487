"""A page as a printer and a reader of the paper get it, by a browser without a screen."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

PRINT_SECONDS_MAX = 120
PROGRAMS = ("chromium", "pdfinfo", "pdftotext", "pdftoppm")


def require_printer() -> None:
    """Fails a test where what prints is not installed."""
    missing = [program for program in PROGRAMS if shutil.which(program) is None]
    if missing:
        pytest.fail(f"not installed: {', '.join(missing)}; Tests/run installs them")


def run(*command: str | Path) -> bytes:
    """What a program prints, which has to end well."""
    finished = subprocess.run(command, capture_output=True, timeout=PRINT_SECONDS_MAX)
    assert finished.returncode == 0, finished.stderr.decode(errors="replace")
    return finished.stdout


@dataclass
class Paper:
    """A page printed to PDF."""

    pdf: Path

    @property
    def sizes(self) -> set[tuple[int, int]]:
        """Width and height of each page in whole millimetres."""
        told = run("pdfinfo", "-f", "1", "-l", "999", self.pdf).decode()
        found = re.findall(r"^Page +\d+ size: +([\d.]+) x ([\d.]+) pts", told, re.MULTILINE)
        assert found, told
        return {(round(float(w) * 25.4 / 72), round(float(h) * 25.4 / 72)) for w, h in found}

    @property
    def text(self) -> str:
        """All text in reading order, its white space as single spaces."""
        return " ".join(run("pdftotext", "-enc", "UTF-8", self.pdf, "-").decode().split())

    @property
    def margins(self) -> tuple[float, float]:
        """What stays white on the left and on the right of all pages, in millimetres.

        A browser prints a page that is too wide for the paper smaller, which widens the left margin.
        """
        left = right = 210.0
        for width, _, pixels in self.pictures():
            for at in range(0, len(pixels), 3 * width):
                row = pixels[at : at + 3 * width]
                if row.strip(b"\xff"):
                    left = min(left, (len(row) - len(row.lstrip(b"\xff"))) / 3 / width * 210)
                    right = min(right, (len(row) - len(row.rstrip(b"\xff"))) / 3 / width * 210)
        return left, right

    @property
    def colours(self) -> int:
        """How many dots are not grey."""
        count = 0
        for _, _, pixels in self.pictures():
            reds, greens, blues = pixels[0::3], pixels[1::3], pixels[2::3]
            count += sum(
                max(dot) - min(dot) > 8 for dot in zip(reds, greens, blues, strict=True)
            )
        return count

    def pictures(self) -> list[tuple[int, int, bytes]]:
        """Width, height and dots (red, green, blue) of each page."""
        stem = self.pdf.with_suffix("")
        run("pdftoppm", "-r", "40", self.pdf, stem)
        pictures = []
        for path in sorted(self.pdf.parent.glob(f"{stem.name}-*.ppm")):
            kind, width, height, _, rest = re.match(
                rb"(P6)\s+(\d+)\s+(\d+)\s+(255)\s(.*)", path.read_bytes(), re.DOTALL
            ).groups()
            pictures.append((int(width), int(height), rest))
        return pictures


def print_page(html: str, folder: Path, name: str) -> Paper:
    """Prints a page as a browser does that knows nothing but it."""
    source = folder / f"{name}.html"
    source.write_text(html)
    pdf = folder / f"{name}.pdf"
    run(
        *("chromium", "--headless", "--no-sandbox", "--disable-gpu", "--no-pdf-header-footer"),
        *(f"--user-data-dir={folder / 'profile'}", f"--print-to-pdf={pdf}", source.as_uri()),
    )
    return Paper(pdf)
