"""Customer questions of a made-up tool-hire shop, with a right and a wrong answer to each."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

SHOP = "Hearth & Hammer Tool Hire"

# name, German name with article (accusative), price per day, deposit
TOOLS = [
    ("floor sander", "die Bodenschleifmaschine", 38, 100),
    ("hedge trimmer", "die Heckenschere", 18, 50),
    ("plate compactor", "die Rüttelplatte", 44, 150),
    ("chainsaw", "die Kettensäge", 32, 120),
    ("tile cutter", "die Fliesenschneidmaschine", 26, 80),
    ("concrete saw", "die Betonsäge", 52, 200),
    ("rotavator", "die Gartenfräse", 48, 150),
    ("leaf blower", "die Laubsaugmaschine", 16, 50),
    ("paint sprayer", "die Farbspritzpistole", 24, 70),
    ("hammer drill", "die Schlagbohrmaschine", 22, 60),
]


@dataclass(frozen=True)
class Intent:
    """One thing customers ask; texts are templates over a tool's prices and a count ``k``."""

    topic: str
    fact: Callable[[dict], str | tuple[str, str]]
    wrong: Callable[[dict], str | tuple[str, str]]
    en: tuple[str, str, str]
    de: tuple[str, str, str]


@dataclass(frozen=True)
class Question:
    """One question; ``right`` contains ``fact`` and ``wrong`` does not."""

    id: str
    topic: str
    language: str
    difficulty: str
    hardness: float
    text: str
    fact: str
    right: str
    wrong: str


INTENTS = [
    Intent(
        "billing",
        lambda v: f"£{v['rate'] * v['k']}",
        lambda v: f"£{v['rate'] * (v['k'] + 1)}",
        (
            "What will I pay if I hire the {tool} for {k} days?",
            "Hiring the {tool} for {k} days comes to {fact}, that is {k} times £{rate} a day.",
            "Hiring the {tool} for {k} days comes to {wrong}, as the day of return counts too.",
        ),
        (
            "Was kostet es, wenn ich {tool} für {k} Tage miete?",
            "Für {k} Tage kostet {tool} {fact}, also {k} Mal £{rate} pro Tag.",
            "Für {k} Tage kostet {tool} {wrong}, denn der Rückgabetag zählt mit.",
        ),
    ),
    Intent(
        "billing",
        lambda v: f"£{v['deposit']}",
        lambda v: f"£{v['deposit'] // 2}",
        (
            "How much deposit do you block on my card for the {tool}?",
            "For the {tool} we block a deposit of {fact} on your card at pick-up.",
            "For the {tool} we block a deposit of {wrong}, which is half of what others ask.",
        ),
        (
            "Wie hoch ist die Kaution für {tool}?",
            "Für {tool} blockieren wir bei der Abholung eine Kaution von {fact}.",
            "Für {tool} blockieren wir bei der Abholung eine Kaution von {wrong}.",
        ),
    ),
    Intent(
        "billing",
        lambda v: f"£{6 * (v['k'] - 1)}",
        lambda v: f"£{6 * v['k'] + 1}",
        (
            "I brought the {tool} back {k} hours late. What is the late charge?",
            "The first late hour is free and each further one is £6, so the {tool} adds {fact}.",
            "Every late hour is charged from the first minute, so the {tool} adds {wrong}.",
        ),
        (
            "Ich habe {tool} {k} Stunden zu spät zurückgebracht. Wie hoch ist die Gebühr?",
            "Die erste Stunde ist frei, jede weitere kostet £6; für {tool} sind das {fact}.",
            "Jede verspätete Stunde zählt ab der ersten Minute; für {tool} sind das {wrong}.",
        ),
    ),
    Intent(
        "billing",
        lambda v: ("within 2 working days", "innerhalb von 2 Werktagen"),
        lambda v: ("at the end of the month", "erst am Monatsende"),
        (
            "When will the invoice for my {k}-day hire of the {tool} arrive?",
            "The invoice for the {tool} reaches you by e-mail {fact} after the return.",
            "The invoice for the {tool} reaches you by post {wrong}, with all other hires.",
        ),
        (
            "Wann bekomme ich die Rechnung, wenn ich {tool} {k} Tage gemietet habe?",
            "Die Rechnung für {tool} kommt {fact} nach der Rückgabe per E-Mail.",
            "Die Rechnung für {tool} kommt {wrong} per Post, zusammen mit allen anderen.",
        ),
    ),
    Intent(
        "billing",
        lambda v: f"£{4 * v['rate']}",
        lambda v: f"£{5 * v['rate']}",
        (
            "What is the weekly rate for the {tool}, and does it beat {k} single days?",
            "A week with the {tool} is {fact}, because a week is billed as four days at £{rate}.",
            "A week with the {tool} is {wrong}, because a week is billed as five days at £{rate}.",
        ),
        (
            "Wie hoch ist der Wochenpreis für {tool} im Vergleich zu {k} Einzeltagen?",
            "Eine Woche kostet {tool} {fact}, denn wir berechnen vier Tage zu je £{rate}.",
            "Eine Woche kostet {tool} {wrong}, denn wir berechnen fünf Tage zu je £{rate}.",
        ),
    ),
    Intent(
        "billing",
        lambda v: f"£{v['rate'] * v['k']}",
        lambda v: f"£{v['rate'] * v['k'] // 2}",
        (
            "I cancelled the {tool} {k} days before pick-up. How much of my £{total} comes back?",
            "You cancelled more than 48 hours ahead, so all {fact} for the {tool} come back.",
            "We keep half of every cancelled hire, so {wrong} for the {tool} come back.",
        ),
        (
            "Ich habe {tool} {k} Tage vor der Abholung storniert. Was bekomme ich von £{total}?",
            "Die Stornierung kam früher als 48 Stunden vorher: Für {tool} gibt es {fact} zurück.",
            "Bei Stornierung behalten wir die Hälfte: Für {tool} gibt es nur {wrong} zurück.",
        ),
    ),
    Intent(
        "delivery",
        lambda v: f"£{2 * (4 * v['k'] - 2)}",
        lambda v: f"£{2 * (4 * v['k'] + 3)}",
        (
            "I live {miles} miles from your shop. What does delivery of the {tool} cost?",
            "Five miles are free and each further mile is £2, so we deliver the {tool} for {fact}.",
            "We charge £2 for every mile from our door, so we deliver the {tool} for {wrong}.",
        ),
        (
            "Ich wohne {miles} Meilen entfernt. Was kostet es, wenn Sie {tool} liefern?",
            "Fünf Meilen sind frei, jede weitere kostet £2; {tool} liefern wir also für {fact}.",
            "Wir berechnen £2 für jede Meile; {tool} liefern wir also für {wrong}.",
        ),
    ),
    Intent(
        "delivery",
        lambda v: ("before 11:00", "vor 11 Uhr"),
        lambda v: ("before 15:00", "vor 15 Uhr"),
        (
            "By when must I order the {tool} so that it reaches me today for a {k}-day hire?",
            "Order the {tool} {fact} and our driver brings it to you the same day.",
            "Order the {tool} {wrong} and our driver brings it to you the same day.",
        ),
        (
            "Bis wann muss ich {tool} für {k} Tage bestellen, damit sie heute noch kommt?",
            "Bestellen Sie {tool} {fact}, dann bringt unser Fahrer sie noch am selben Tag.",
            "Bestellen Sie {tool} {wrong}, dann bringt unser Fahrer sie noch am selben Tag.",
        ),
    ),
    Intent(
        "delivery",
        lambda v: ("between 8:00 and 12:00", "zwischen 8 und 12 Uhr"),
        lambda v: ("at any time before 20:00", "jederzeit bis 20 Uhr"),
        (
            "Which time window do I get if the {tool} comes on Saturday for {k} days?",
            "On Saturdays we deliver the {tool} {fact}, and we ring half an hour ahead.",
            "On Saturdays we deliver the {tool} {wrong}, so please stay at home all day.",
        ),
        (
            "In welchem Zeitfenster kommt {tool} am Samstag, wenn ich {k} Tage buche?",
            "Samstags liefern wir {tool} {fact} und rufen eine halbe Stunde vorher an.",
            "Samstags liefern wir {tool} {wrong}, bitte bleiben Sie den ganzen Tag zu Hause.",
        ),
    ),
    Intent(
        "delivery",
        lambda v: ("to the ground-floor door", "bis zur Tür im Erdgeschoss"),
        lambda v: ("right into your flat", "direkt in Ihre Wohnung"),
        (
            "My flat is on floor {k}. How far will the driver carry the {tool}?",
            "The driver carries the {tool} {fact}; from there you need a helping hand.",
            "The driver carries the {tool} {wrong}, whichever floor that may be.",
        ),
        (
            "Ich wohne im {k}. Stock. Wie weit trägt der Fahrer {tool}?",
            "Der Fahrer trägt {tool} {fact}; ab dort brauchen Sie eine helfende Hand.",
            "Der Fahrer trägt {tool} {wrong}, ganz gleich in welchem Stock.",
        ),
    ),
    Intent(
        "delivery",
        lambda v: ("on the next working day before noon", "am nächsten Werktag vor 12 Uhr"),
        lambda v: ("some time in the following week", "irgendwann in der Folgewoche"),
        (
            "When do you collect the {tool} after my {k}-day hire has ended?",
            "We collect the {tool} {fact}; that time is not charged.",
            "We collect the {tool} {wrong}; until then the hire runs on.",
        ),
        (
            "Wann holen Sie {tool} ab, wenn meine {k} Miettage vorbei sind?",
            "Wir holen {tool} {fact} ab; diese Zeit wird nicht berechnet.",
            "Wir holen {tool} {wrong} ab; bis dahin läuft die Miete weiter.",
        ),
    ),
    Intent(
        "delivery",
        lambda v: f"£{8 + v['k']}",
        lambda v: f"£{18 + v['k']}",
        (
            "I missed your driver with the {tool}; I live {k} miles away. What is a second try?",
            "A second try with the {tool} is £8 plus £1 a mile, so {fact} for your {k} miles.",
            "A second try with the {tool} is £18 plus £1 a mile, so {wrong} for your {k} miles.",
        ),
        (
            "Ich war nicht da, als {tool} kam, {k} Meilen entfernt. Was kostet ein neuer Versuch?",
            "Ein neuer Versuch für {tool} kostet £8 plus £1 je Meile, also {fact}.",
            "Ein neuer Versuch für {tool} kostet £18 plus £1 je Meile, also {wrong}.",
        ),
    ),
    Intent(
        "returns",
        lambda v: f"£{v['deposit'] // 10}",
        lambda v: f"£{v['deposit'] // 5 + 40}",
        (
            "Do I have to clean the {tool} after {k} days, and what if I do not?",
            "Please brush the {tool} clean; if we have to do it, the cleaning fee is {fact}.",
            "No need to clean the {tool} yourself, we always add a cleaning fee of {wrong}.",
        ),
        (
            "Muss ich {tool} nach {k} Tagen reinigen, und was kostet es sonst?",
            "Bitte bürsten Sie {tool} sauber; machen wir es, kostet die Reinigung {fact}.",
            "Sie müssen {tool} nicht reinigen, wir berechnen immer {wrong} für die Reinigung.",
        ),
    ),
    Intent(
        "returns",
        lambda v: f"£{v['rate'] * v['k'] // 2}",
        lambda v: f"£{v['rate'] * v['k']}",
        (
            "I am bringing the {tool} back {k} days early. How much do you refund?",
            "Unused whole days are refunded by half, so for the {tool} you get {fact} back.",
            "Unused whole days are refunded in full, so for the {tool} you get {wrong} back.",
        ),
        (
            "Ich bringe {tool} {k} Tage früher zurück. Wie viel erstatten Sie?",
            "Ungenutzte ganze Tage erstatten wir zur Hälfte, für {tool} sind das {fact}.",
            "Ungenutzte ganze Tage erstatten wir voll, für {tool} sind das {wrong}.",
        ),
    ),
    Intent(
        "returns",
        lambda v: ("in the key-drop locker by the side gate", "im Schließfach am Seitentor"),
        lambda v: ("in front of the shop door", "vor der Ladentür"),
        (
            "I finish after closing time on day {k}. Where can I leave the {tool}?",
            "Leave the {tool} {fact}; the code is on your hire slip.",
            "Just leave the {tool} {wrong}; somebody will find it in the morning.",
        ),
        (
            "Ich werde am {k}. Tag erst nach Ladenschluss fertig. Wo kann ich {tool} lassen?",
            "Lassen Sie {tool} {fact}; der Code steht auf dem Mietschein.",
            "Lassen Sie {tool} einfach {wrong}; morgens findet sie schon jemand.",
        ),
    ),
    Intent(
        "returns",
        lambda v: ("within 3 working days", "innerhalb von 3 Werktagen"),
        lambda v: ("after about a month", "nach etwa einem Monat"),
        (
            "The {tool} went back {k} days ago. When is my deposit of £{deposit} released?",
            "The deposit for the {tool} is released {fact} once the check is done.",
            "The deposit for the {tool} is released {wrong}, with the next card statement.",
        ),
        (
            "Ich habe {tool} vor {k} Tagen abgegeben. Wann bekomme ich die Kaution von £{deposit}?",
            "Die Kaution für {tool} geben wir {fact} nach der Prüfung frei.",
            "Die Kaution für {tool} geben wir {wrong} mit der Kartenabrechnung frei.",
        ),
    ),
    Intent(
        "returns",
        lambda v: ("before 16:00 on the last hire day", "bis 16 Uhr am letzten Miettag"),
        lambda v: ("at any time, even a week later", "jederzeit, auch eine Woche später"),
        (
            "How do I keep the {tool} for {k} more days?",
            "Ring us {fact} and we extend the {tool}, if nobody else has booked it.",
            "Ring us {wrong} and we extend the {tool} back to the day it was due.",
        ),
        (
            "Wie kann ich {tool} noch {k} Tage länger behalten?",
            "Rufen Sie uns {fact} an, dann verlängern wir die Miete für {tool}.",
            "Rufen Sie uns {wrong} an, dann verlängern wir die Miete für {tool} rückwirkend.",
        ),
    ),
    Intent(
        "returns",
        lambda v: f"£{9 * v['k']}",
        lambda v: f"£{5 * v['k']}",
        (
            "May I return the {tool} and parts, {k} items in all, at your Millbrook branch?",
            "Yes, another branch costs £9 an item, so the {tool} and parts come to {fact}.",
            "Yes, another branch costs £5 an item, so the {tool} and parts come to {wrong}.",
        ),
        (
            "Kann ich {tool} mit Zubehör, zusammen {k} Teile, in Millbrook zurückgeben?",
            "Ja, eine andere Filiale kostet £9 je Teil, für {tool} mit Zubehör also {fact}.",
            "Ja, eine andere Filiale kostet £5 je Teil, für {tool} mit Zubehör also {wrong}.",
        ),
    ),
    Intent(
        "repairs",
        lambda v: ("within 4 opening hours", "innerhalb von 4 Öffnungsstunden"),
        lambda v: ("within 3 weeks", "innerhalb von 3 Wochen"),
        (
            "The {tool} stopped on day {k}. When do I get a replacement?",
            "We swap a {tool} that stopped {fact}, at the counter or at your door.",
            "We send a {tool} that stopped to the maker, and a swap follows {wrong}.",
        ),
        (
            "Am {k}. Tag ist {tool} ausgefallen. Wann bekomme ich Ersatz?",
            "Wir tauschen {tool} {fact}, an der Theke oder bei Ihnen.",
            "Wir schicken {tool} zum Hersteller, Ersatz kommt {wrong}.",
        ),
    ),
    Intent(
        "repairs",
        lambda v: ("wear parts are on us", "Verschleißteile zahlen wir"),
        lambda v: ("each wear part is billed", "Verschleißteile zahlen Sie"),
        (
            "After {k} days of normal work a part of the {tool} is worn. Who pays for it?",
            "With normal use of the {tool}, {fact}; just hand the old one in.",
            "With any use of the {tool}, {wrong} to you at list price.",
        ),
        (
            "Nach {k} Tagen ist ein Teil verschlissen, ich hatte {tool} gemietet. Wer zahlt?",
            "Bei normaler Nutzung gilt für {tool}: {fact}, geben Sie das alte Teil einfach ab.",
            "Bei jeder Nutzung gilt für {tool}: {wrong}, und zwar zum Listenpreis.",
        ),
    ),
    Intent(
        "repairs",
        lambda v: f"£{min(v['rate'] * v['k'], v['deposit'])}",
        lambda v: f"£{v['rate'] * v['k'] + 25}",
        (
            "I dropped the {tool} and the repair is put at £{total}. What is my share?",
            "Your share is never above the deposit, so for the {tool} you pay {fact}.",
            "You pay the repair and £25 for handling, so for the {tool} you pay {wrong}.",
        ),
        (
            "Mir ist {tool} heruntergefallen, Reparatur £{total}. Was muss ich zahlen?",
            "Ihr Anteil liegt nie über der Kaution, für {tool} zahlen Sie also {fact}.",
            "Sie zahlen Reparatur und £25 Bearbeitung, für {tool} also {wrong}.",
        ),
    ),
    Intent(
        "repairs",
        lambda v: ("please do not open it", "bitte nicht öffnen"),
        lambda v: ("feel free to open it", "gern selbst öffnen"),
        (
            "The {tool} rattles since day {k}. May I look inside it myself?",
            "Switch the {tool} off and {fact}; our workshop looks at it the same day.",
            "Switch the {tool} off and {wrong}; most faults are a loose screw.",
        ),
        (
            "Seit Tag {k} klappert etwas, ich habe {tool} gemietet. Darf ich selbst nachsehen?",
            "Schalten Sie {tool} aus und {fact}; die Werkstatt prüft sie am selben Tag.",
            "Sie dürfen {tool} ausschalten und {wrong}; oft ist nur eine Schraube locker.",
        ),
    ),
    Intent(
        "repairs",
        lambda v: f"£{v['rate'] * v['k']}",
        lambda v: f"£{v['rate'] * v['k'] // 2}",
        (
            "The {tool} was in your workshop for {k} of my hire days. What do I get credited?",
            "Days in our workshop are free, so {fact} for the {tool} are credited.",
            "Days in our workshop are half price, so {wrong} for the {tool} are credited.",
        ),
        (
            "Sie hatten {tool} an {k} meiner Miettage in der Werkstatt. Was wird gutgeschrieben?",
            "Tage in der Werkstatt sind frei, für {tool} schreiben wir {fact} gut.",
            "Tage in der Werkstatt kosten die Hälfte, für {tool} schreiben wir {wrong} gut.",
        ),
    ),
    Intent(
        "repairs",
        lambda v: f"£{3 * v['k']}",
        lambda v: f"£{7 * v['k']}",
        (
            "What does damage cover for the {tool} cost over {k} days?",
            "Damage cover is £3 a day, so {fact} for {k} days with the {tool}.",
            "Damage cover is £7 a day, so {wrong} for {k} days with the {tool}.",
        ),
        (
            "Was kostet der Schadenschutz für {k} Tage, wenn ich {tool} miete?",
            "Der Schadenschutz kostet £3 am Tag, für {tool} und {k} Tage also {fact}.",
            "Der Schadenschutz kostet £7 am Tag, für {tool} und {k} Tage also {wrong}.",
        ),
    ),
]

OPENINGS = {
    "en": [
        "Thank you for asking.",
        f"Thanks for getting in touch with {SHOP}.",
        "Good question.",
        "Happy to help.",
    ],
    "de": [
        "Danke für Ihre Frage.",
        f"Vielen Dank für Ihre Nachricht an {SHOP}.",
        "Gern helfe ich Ihnen.",
        "Das beantworte ich gern.",
    ],
}
CLOSINGS = {
    "en": [
        "Anything else, just ask.",
        "Our counter is open from 7:00 to 18:00.",
        "Please have your hire slip ready.",
        "You can also ring the counter.",
    ],
    "de": [
        "Melden Sie sich gern wieder.",
        "Unsere Theke ist von 7 bis 18 Uhr geöffnet.",
        "Bitte halten Sie den Mietschein bereit.",
        "Sie können auch an der Theke anrufen.",
    ],
}
BACKGROUND = {
    "en": [
        "How we arrive at this: your hire slip lists the tool, the days and the terms of hire.",
        "The same rule holds at both of our branches and for trade customers as well.",
        "If something on your slip looks different, the slip signed at pick-up is what counts.",
        "I would note the slip number, so that a colleague can find the hire at once.",
        "Should your plans change, tell us early and we look for the cheapest way together.",
    ],
    "de": [
        "So kommen wir darauf: Auf dem Mietschein stehen das Gerät, die Tage und die Bedingungen.",
        "Dieselbe Regel gilt in beiden Filialen und ebenso für gewerbliche Kunden.",
        "Falls auf Ihrem Schein etwas anderes steht, zählt der bei der Abholung unterschriebene.",
        "Notieren Sie am besten die Nummer des Scheins, dann finden wir die Miete sofort.",
        "Sollten sich Ihre Pläne ändern, sagen Sie früh Bescheid, dann finden wir eine Lösung.",
    ],
}


def questions(seed: int = 11) -> list[Question]:
    """Return 120 questions: 4 topics x 6 intents x 5 tools, one of each five in German."""
    rng = random.Random(seed)
    rows: list[Question] = []
    for topic in ("billing", "delivery", "returns", "repairs"):
        intents = [intent for intent in INTENTS if intent.topic == topic]
        hardness = [(rank + 0.5) / 30 for rank in range(30)]
        rng.shuffle(hardness)
        for number, (intent, variant) in enumerate((i, v) for i in intents for v in range(5)):
            german = variant == intents.index(intent) % 5
            tool = TOOLS[(number * 3 + variant) % len(TOOLS)]
            rows.append(_question(intent, tool, variant + 2, german, number, hardness[number]))
    return rows


def _question(
    intent: Intent, tool: tuple, k: int, german: bool, number: int, hardness: float
) -> Question:
    name, german_name, rate, deposit = tool
    values = {
        "tool": german_name if german else name,
        "rate": rate,
        "deposit": deposit,
        "k": k,
        "total": rate * k,
        "miles": 4 * k + 3,
    }
    for key, make in (("fact", intent.fact), ("wrong", intent.wrong)):
        text = make(values)
        values[key] = text if isinstance(text, str) else text[german]
    asked, right, wrong = (part.format(**values) for part in (intent.de if german else intent.en))
    return Question(
        id=f"{intent.topic}-{number + 1:02d}",
        topic=intent.topic,
        language="de" if german else "en",
        difficulty="easy" if hardness < 0.4 else "medium" if hardness < 0.75 else "hard",
        hardness=hardness,
        text=asked,
        fact=values["fact"],
        right=right,
        wrong=wrong,
    )


def answer(question: Question, correct: bool, rng: random.Random, wordy: bool) -> str:
    """Compose an answer of three sentences, or about twice the length when ``wordy``."""
    lang = question.language
    parts = [rng.choice(OPENINGS[lang]), question.right if correct else question.wrong]
    if wordy:
        parts += rng.sample(BACKGROUND[lang], 2)
    return " ".join([*parts, rng.choice(CLOSINGS[lang])])
