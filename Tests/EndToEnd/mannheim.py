"""Mannheim 2022 and 2023 as the ministry told parliament, and the inquiry's questions.

Landtag of Baden-Württemberg, December 2023: the figures, the questions and what was answered in words.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any

# Days, how many matters of each category were intervened in at once, and how many others there were.
YEARS = {
    2022: (365, {"criminal_offence": 230, "administrative_offence": 30, "hazard_prevention": 155}, 271),
    2023: (304, {"criminal_offence": 185, "administrative_offence": 22, "hazard_prevention": 127}, 218),
}
COLUMNS = (
    "kind,key,category,occurred_at,operating_mode,incident,immediate,precinct,"
    "dispatched_at,arrived_at,cancelled_at"
)


def history() -> str:
    """A table for the import whose figures are those of the ministry's answer."""
    lines = [COLUMNS]
    for year, (days, immediate, others) in YEARS.items():
        matters = [(category, True) for category, count in immediate.items() for _ in range(count)]
        matters += [("hazard_prevention", False)] * others
        for number, (category, is_immediate) in enumerate(matters):
            day = date(year, 1, 1) + timedelta(days=number * days // len(matters))
            noon = datetime(day.year, day.month, day.day, 12)
            key = f"{year}-{number}"

            def local(minutes: float) -> str:
                return (noon + timedelta(minutes=minutes)).isoformat()

            lines.append(f"incident,E-{key},{category},{local(0)},production,,,,,,")
            sent = f"intervention,I-{key},,,,E-{key},true,Innenstadt"
            if is_immediate:
                lines.append(f"{sent},{local(0.5)},{local(1 + number % 5)},")
            elif number % 10 == 0:
                lines.append(f"{sent},{local(1)},,{local(2)}")
                lines.append(f"intervention,J-{key},,,,E-{key},false,Innenstadt,{local(60)},,")
    lines.append("incident,E-staged,criminal_offence,2023-05-01T12:00:00,training,,,,,,")
    return "\n".join(lines) + "\n"


PERIOD = {"from": "2023-01-01", "to": "2023-11-01"}
YEAR_BEFORE = {"compare": ["previous_full_year"]}
IMMEDIATE = {"metric": "incidents-with-immediate-intervention"} | PERIOD


def text(number: int, wording: str, answer: str) -> dict[str, Any]:
    """A question that is answered in words."""
    return {"number": number, "wording": wording, "answer": {"kind": "text", "text": answer}}


REPORT: dict[str, Any] = {
    "title": "Projekt „Intelligente Videoüberwachung“ in Mannheim kurz vor dem Abschluss – wie geht es weiter?",
    "reference": "Drucksache 17/5816",
    "stand": "31. Oktober 2023",
    "continues": {
        "reference": "Landtagsdrucksache 17/2833",
        "stand": "31. Mai 2022",
        "figures": [
            {"question": 3, "value": 301},
            {"question": 3, "figure": 3, "group": {"category": "criminal_offence"}, "value": 96},
            {"question": 2, "value": "not_recorded"},
        ],
    },
    "questions": [
        text(
            1,
            "welche Erfahrungen mit dem nun seit fast fünf Jahren laufenden Projekt „Intelligente "
            "Videoüberwachung“ in Mannheim gemacht werden konnten;",
            "Das im Dezember 2018 in Mannheim eingerichtete Projekt „Intelligente Videoüberwachung“ verläuft "
            "erfolgreich. Insgesamt sind deutliche Fortschritte im Projekt festzustellen, die auch im Verlauf der "
            "noch andauernden Projektphase weiterhin zu erwarten sind.\n\nEine Marktreife konnte bislang noch "
            "nicht erlangt werden.",
        ),
        {
            "number": 2,
            "wording": "wie viele polizeilich relevante Vorgänge im Zeitraum seit dem Start des Projekts im "
            "Monatsverlauf und insgesamt automatisch erkannt werden konnten;",
            "answer": {
                "kind": "figures",
                "text": "Alarme wurden bislang ausschließlich zur Weiterentwicklung des Systems herangezogen.",
                "figures": [
                    {
                        "caption": "Automatisch erkannte polizeilich relevante Sachverhalte",
                        "metric": "incidents",
                        "from": "2018-12-01",
                        "to": "2023-11-01",
                        "group_by": ["month"],
                        "filters": {"source": ["automatic"]},
                    }
                ],
            },
        },
        {
            "number": 3,
            "wording": "wie die Eintreffzeit der Polizei nach Feststellung eines polizeilich relevanten Vorgangs ist;",
            "answer": {
                "kind": "figures",
                "text": "Mithilfe der konventionellen Videobeobachtungstechnik wurden durch das "
                "Videobeobachtungspersonal im Führungs- und Lagezentrum des Polizeipräsidiums Mannheim folgende "
                "Sachverhalte im Stadtgebiet Mannheim erkannt.",
                "figures": [
                    {"metric": "incidents"} | PERIOD | YEAR_BEFORE,
                    IMMEDIATE | YEAR_BEFORE,
                    IMMEDIATE | {"group_by": ["category"]},
                    {
                        "caption": "Sachverhalte mit und ohne sofortige Intervention",
                        "metric": "incidents",
                        "group_by": ["immediate"],
                    }
                    | PERIOD,
                    {"metric": "incidents", "group_by": ["month"]} | PERIOD | YEAR_BEFORE,
                    {"caption": "Eintreffzeit nach Feststellung", "metric": "arrival-times"} | PERIOD,
                ],
            },
        },
        {
            "number": 6,
            "wording": "welche Rückmeldungen aus der Bevölkerung Mannheims ihr bekannt sind, die diese Art der "
            "anonymisierten Videoüberwachung ablehnt bzw. begrüßt;",
            "answer": {"kind": "not_collected"},
        },
        text(
            8,
            "ob es weitere Städte gibt, die über eine „Intelligente Videoüberwachung“ auf Basis des "
            "Mannheimer-Modells nachdenken;",
            "Rindfleischetikettierungsüberwachungsaufgabenübertragungsgesetzesentwurfsvorbereitungskommission: "
            "Neben Stuttgart arbeiten weitere Städte bereits mit einer konventionellen polizeilichen "
            "Videoüberwachung. Verhaltensmustererkennungssoftwareweiterentwicklungsmaßnahmen "
            "<script>alert('nein')</script> & Ähnliches sind nicht geplant.",
        ),
    ],
}
