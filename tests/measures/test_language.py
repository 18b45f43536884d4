"""A text's language is told where there is enough of it, and nothing is told where there is not."""

from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aiops_lab.measures import language as module
from aiops_lab.measures import measure
from aiops_lab.measures.language import READ, SEEN, language

SENTENCES = [
    ("en", "Restart the printer and wait until the green light stops blinking."),
    ("en", "I have looked through the document, but the price is not mentioned there."),
    ("en", "YOUR PARCEL LEFT THE WAREHOUSE THIS MORNING AND WILL ARRIVE ON FRIDAY."),
    ("de", "Bitte schalten Sie den Drucker aus und warten Sie eine Minute."),
    ("de", "Leider steht der Preis nicht in der Rechnung, die Sie geschickt haben."),
    ("fr", "Éteignez l'imprimante, puis attendez que le voyant vert s'allume."),
    ("fr", "Je n'ai pas trouvé le prix dans la facture que vous avez envoyée."),
    ("es", "Apague la impresora y espere hasta que se encienda la luz verde."),
    ("es", "No he encontrado el precio en la factura que usted nos envió ayer."),
    ("it", "Spenga la stampante e aspetti che si accenda la luce verde."),
    ("pt", "Não encontrei o preço na fatura que você nos enviou ontem."),
    ("nl", "Zet de printer uit en wacht tot het groene lampje gaat branden."),
    ("sv", "Stäng av skrivaren och vänta tills den gröna lampan tänds."),
    ("pl", "Proszę wyłączyć drukarkę i poczekać, aż zapali się zielona lampka."),
    ("ru", "Выключите принтер и подождите, пока не загорится зелёная лампочка."),
    ("tr", "Yazıcıyı kapatın ve yeşil ışık yanana kadar bekleyin."),
    ("ar", "يرجى إيقاف تشغيل الطابعة والانتظار حتى يضيء الضوء الأخضر."),
    ("hi", "कृपया प्रिंटर बंद करें और हरी बत्ती जलने तक प्रतीक्षा करें।"),
    ("zh", "请关闭打印机,等绿灯亮起后再重新打开。"),
    ("zh", "呢部打印機壞咗,唔該你等一陣先,我哋而家即刻整返好佢。"),  # Cantonese, which has no code
    ("ja", "プリンターの電源を切り、緑のランプが点くまでお待ちください。"),
    ("ko", "프린터를 끄고 초록색 불이 켜질 때까지 기다려 주세요."),
]
GERMAN, CODE = (
    SENTENCES[3][1],
    "def wait(seconds):\n    return sleep(seconds) or the_other(seconds)",
)


@pytest.mark.parametrize(("code", "text"), SENTENCES)
def test_sentences(code: str, text: str) -> None:
    assert language(text) == code


@pytest.mark.parametrize(
    "text",
    [
        "", "Yes.", "Of course!", "好的。", " \n\t ", "12, 345.67 and 1e9",
        "1 2 3 " * 500, "?!" * 900,
        "😀🎉👍🏽 " * 40, "❤️" * 900, "x" * 300, "OK " * 9, "qwrt zxcv plkj hgfd mnbv trwq",
        f"```python\n{CODE}\n```", f"~~~~\n{CODE}", "`wait for the other answer and return it`",
        "https://example.com/which/language/is/this/address/written/in?the=answer&is=none",
        "\x00\x01\x02\x7f" * 100, "\u200b\u200d\ufeff" * 100, "a" + "\u0301" * 1_000, "\ud800" * 50,
        "Paris, London, Berlin, Madrid, Rome, Vienna",
    ],
)  # fmt: skip
def test_where_nothing_tells_nothing_is_told(text: str) -> None:
    assert language(text) is None


@pytest.mark.parametrize(
    "text",
    [
        f"```python\n{CODE}\n```\n{GERMAN}", f"{GERMAN}\n~~~\n{CODE}", f"```ls``` {GERMAN}",
        "```sh\n" + "x = the + other # of which\n" * 100 + f"```\n{GERMAN}",
        f"{GERMAN} https://example.com/the/path/of/which/there/is/more", GERMAN + "😀12 " * 400,
        f"`the_answer_of_the_other` {GERMAN}", "\x00".join(GERMAN.split()),
        f"\x1b[1m{GERMAN}\x1b[0m",
        "\u00ad".join(GERMAN), "-" * 3_000 + GERMAN,
    ],
)  # fmt: skip
def test_what_stands_around_the_words_changes_nothing(text: str) -> None:
    assert language(text) == "de"


def test_chinese_goes_on_after_an_address() -> None:
    assert language("请打开https://example.com/help，等绿灯亮起后再重新打开打印机。") == "zh"


def test_a_long_text_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    class Seen:
        lengths: tuple[int, ...] = ()

        def classify(self, text: str) -> tuple[str, float]:
            self.lengths += (len(text),)
            return "de", 1.0

    model, looked = Seen(), []
    words = module._words
    monkeypatch.setattr(module, "_model", lambda: model)
    monkeypatch.setattr(module, "_words", lambda text: looked.append(len(text)) or words(text))
    line = "wort " * 200_000
    assert [language(text) for text in (line[:READ], line)] == ["de", "de"]
    assert model.lengths == (READ - 1, READ)  # the last space is none
    assert looked == [READ, SEEN]


def test_long_texts_that_say_one_thing_over_and_over() -> None:
    for part in ("`", "```\n", "~", "~~~", "`a", " ", "\n", "www.", "https://", "\t```", "\u0301"):
        assert language(part * 300_000) is None


def test_as_a_measure() -> None:
    found = measure([GERMAN, None, "Yes.", GERMAN, "\ud800 " + GERMAN], "language")
    assert found["language"].to_list() == ["de", None, None, "de", None]
    assert "language" not in measure([GERMAN]).columns


@given(st.text(max_size=300))
@settings(max_examples=100, deadline=None)
def test_any_text_has_a_code_of_two_letters_or_none(text: str) -> None:
    found = language(text)
    assert found is None or (len(found) == 2 and found.isalpha() and found.islower())


def test_the_model_is_loaded_where_it_is_asked_only() -> None:
    script = (
        "import sys; from aiops_lab import measure; measure(['Yes.', 'Of course, at once!']);"
        "measure(['Yes.'], 'language'); print('py3langid' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.stdout == "False\n", done.stderr
