"""The clauses of the made-up shop's hire terms, and forty questions about them."""

from __future__ import annotations

from dataclasses import dataclass

CLAUSES = [
    ("1.2", "proof of identity", "a photo card and a proof of address are shown at pick-up"),
    ("1.4", "minimum age", "powered tools are handed only to people aged 18 or older"),
    ("2.1", "day rate", "a hire day runs for 24 hours from the time on the slip"),
    ("2.3", "weekly rate", "seven days in a row are billed as four"),
    ("2.6", "deposits", "the deposit is blocked on a card and never taken in cash"),
    ("3.1", "delivery area", "we deliver within 25 miles of either branch"),
    ("3.3", "missed deliveries", "a second delivery attempt is charged"),
    ("3.5", "carrying upstairs", "drivers carry goods to the ground-floor door only"),
    ("4.1", "late returns", "each started hour after the first late hour is charged"),
    ("4.2", "early returns", "unused whole days are refunded by half"),
    ("4.4", "cleaning", "tools come back brushed clean or a fee is added"),
    ("4.5", "returning elsewhere", "another branch takes tools back for a fee per item"),
    ("5.1", "breakdowns", "a tool that stops is swapped within four opening hours"),
    ("5.2", "wear parts", "blades and belts worn by normal use are free"),
    ("5.4", "own repairs", "customers do not open machines"),
    ("6.1", "damage", "the customer's share is capped at the deposit"),
    ("6.2", "theft", "a police number is needed within two days"),
    ("6.5", "damage cover", "cover is bought before pick-up and not after"),
    ("7.1", "cancelling", "cancelling more than 48 hours ahead is free"),
    ("7.3", "lending on", "hired tools are not lent to anybody else"),
]
MARKERS = ("thank you", "please", "happy to", "hearth & hammer")


@dataclass(frozen=True)
class PolicyQuestion:
    """A question whose answer cites ``clause``; ``other`` is a neighbouring, wrong clause."""

    id: str
    text: str
    clause: str
    other: str
    title: str
    rule: str


def policy_questions() -> list[PolicyQuestion]:
    """Return two questions for each clause, one by its title and one by its rule."""
    rows = []
    for place, (clause, title, rule) in enumerate(CLAUSES):
        other = CLAUSES[(place + 1) % len(CLAUSES)][0]
        texts = (
            f"A customer asks about {title}. Which clause do I quote?",
            f"Which clause of our hire terms says that {rule}?",
        )
        for text in texts:
            rows.append(PolicyQuestion(f"q{len(rows) + 1}", text, clause, other, title, rule))
    return rows


def policy_answer(question: PolicyQuestion, correct: bool, courtesy: int) -> str:
    """Compose an answer citing a clause, with ``courtesy`` of the four polite markers."""
    clause = question.clause if correct else question.other
    parts = [f"That is clause {clause}, {question.title}: {question.rule}."]
    if courtesy > 0:
        parts.insert(0, "Thank you for asking.")
    if courtesy > 1:
        parts.append("Please quote the clause number in your reply.")
    if courtesy > 2:
        parts.append("I am happy to look up the full wording.")
    if courtesy > 3:
        parts.append("Regards from Hearth & Hammer.")
    return " ".join(parts)
