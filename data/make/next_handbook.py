"""Write the handbook's next edition: what editors do to documents that questions rest on.

    python data/make/next_handbook.py

Reads data/handbook and writes data/handbook-next: rules changed, sections moved and dropped, a
document renamed, one written anew.
"""

from __future__ import annotations

from pathlib import Path

NOW = Path(__file__).parents[1] / "handbook"
NEXT = NOW.with_name("handbook-next")
RENAMED = {"it-runbook.md": "operations-runbook.md"}
DROPPED = {"safety-on-board.md": "## First aid", "refunds-and-changes.md": "## How to complain"}
MOVED = {"safety-on-board.md": ("## Life jackets", "## Change control")}
ADDED = {
    "fares-and-tickets.md": (
        "## Seasons",
        "## What is new\n\nFrom the first of January the fast ship has a fare of its own, cards of "
        "ten are sold in the app only, and cars check in earlier. Tickets bought before keep the "
        "terms printed on them.\n\n",
    )
}
CHANGED = {
    "fares-and-tickets.md": [
        ("Cars check in 40 minutes before a day crossing and 75 minutes before a night crossing.",
         "Cars check in 50 minutes before a day crossing and 90 minutes before a night crossing."),
        ("The fast supplement for Brisa is 60 crowns in every season and is not reduced for "
         "anyone.",
         "Brisa has a fare of her own; no supplement is taken any more, and children under 6 "
         "travel on her without charge."),
    ],
    "safety-on-board.md": [
        ("must be complete within 25 minutes of the alarm, and at night within 30.",
         "must be complete within 20 minutes of the alarm, by day and by night."),
    ],
}  # fmt: skip
WRITTEN = {
    "electric-vehicles.md": "# Electric vehicles\n\nThis document is part of the Nordhafen Ferries "
    "handbook. Charging on board is possible on Corvin from the first of March: twelve places on "
    "deck 3, booked with the car. A battery under 20 % is charged before departure at the quay. "
    "Cars whose battery was damaged in an accident are not carried.\n",
}


def section(text: str, heading: str) -> str:
    """A section from its heading to the next one of its rank."""
    start = text.index(f"\n{heading}\n") + 1
    end = text.find("\n## ", start)
    return text[start : len(text) if end < 0 else end + 1]


def revised(name: str, text: str) -> str:
    """One document of the next edition."""
    for old, new in CHANGED.get(name, []):
        assert text.count(old) == 1, (name, old)
        text = text.replace(old, new)
    if name in DROPPED:
        text = text.replace(section(text, DROPPED[name]), "")
    if name in MOVED:
        moving, before = MOVED[name]
        part = section(text, moving)
        text = text.replace(part, "").replace(f"{before}\n", f"{part}{before}\n", 1)
    if name in ADDED:
        before, new = ADDED[name]
        text = text.replace(f"{before}\n", f"{new}{before}\n", 1)
    return text


def main() -> None:
    """Write all documents."""
    NEXT.mkdir(exist_ok=True)
    for path in sorted(NOW.glob("*.md")):
        text = revised(path.name, path.read_text("utf-8"))
        (NEXT / RENAMED.get(path.name, path.name)).write_text(text, "utf-8")
    for name, text in WRITTEN.items():
        (NEXT / name).write_text(text, "utf-8")


if __name__ == "__main__":
    main()
