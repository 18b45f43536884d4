"""Write where each quote of the handbook's questions stands: start and end in characters.

    python data/make/place_gold.py

Run it after a change to `data/handbook`; a quote that is not there (or not `nth` times) is named.
"""

from __future__ import annotations

import json
from pathlib import Path

HANDBOOK = Path(__file__).parents[1] / "handbook"


def place(text: str, quote: str, nth: int) -> tuple[int, int]:
    """The span of the nth occurrence of a quote."""
    start = -1
    for _ in range(nth):
        start = text.index(quote, start + 1)
    return start, start + len(quote)


def main() -> None:
    path = HANDBOOK / "questions.jsonl"
    texts = {p.name: p.read_text(encoding="utf-8") for p in HANDBOOK.glob("*.md")}
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    for row in rows:
        for gold in row["gold"]:
            text, quote, nth = texts[gold["doc_id"]], gold["quote"], gold.pop("nth", 1)
            try:
                if text[gold.get("start", 0) : gold.get("end", 0)] != quote:
                    gold["start"], gold["end"] = place(text, quote, nth)
            except ValueError:
                raise SystemExit(f"{row['question_id']}: not in the text: {quote[:60]!r}") from None
            gold["quote"] = gold.pop("quote")
    lines = (json.dumps(row, ensure_ascii=False) for row in rows)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
