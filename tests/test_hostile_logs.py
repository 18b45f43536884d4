"""Over 300 mutated logs: correct rows or a quarantine entry each, none stops the others."""

from __future__ import annotations

import io
import random
import re
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import polars as pl
import pytest

from aiops_lab import Lab, open_lab
from aiops_lab.sources.archive import Archive
from aiops_lab.sources.find import DATA_SUFFIXES
from tests.conftest import DATA, write_eval

pytestmark = pytest.mark.slow
MEMORY = 2 * 2**30
TABLES = ("samples", "spans", "evaluations")
Change = Callable[[bytes, random.Random], bytes]


def truncated(data: bytes, chance: random.Random) -> bytes:
    return data[: chance.randrange(len(data))]


def flipped(data: bytes, chance: random.Random) -> bytes:
    changed = bytearray(data)
    for _ in range(chance.choice([1, 3, 30])):
        changed[chance.randrange(len(changed))] ^= 1 << chance.randrange(8)
    return bytes(changed)


def wrong_types(data: bytes, chance: random.Random) -> bytes:
    """Some values replaced by others of another type."""
    others = [b"null", b'"x"', b"[1]", b'{"a":[]}', b"-1.5", b"true", b"[]", b'""']
    parts = re.split(
        rb'(?<=[:,\[ ])(-?\d+(?:\.\d+)?|"[^"\\]{0,40}"|true|false|null)(?=[,}\]])', data
    )
    for i in range(1, len(parts), 2):
        if chance.random() < 5 / (1 + len(parts) / 2):
            parts[i] = chance.choice(others)
    return b"".join(parts)


def put_in(text: bytes) -> Change:
    """`text` in the place of some number."""

    def change(data: bytes, chance: random.Random) -> bytes:
        places = [
            m.span() for m in re.finditer(rb"(?<=[:,\[])\s?-?\d+(?:\.\d+)?(?=[,}\]\s])", data)
        ]
        for start, end in sorted(chance.sample(places, min(3, len(places))), reverse=True):
            data = data[:start] + text + data[end:]
        return data

    return change


def recoded(encoding: str) -> Change:
    return lambda data, _: data.decode("utf-8", "replace").encode(encoding, "replace")


BYTES: dict[str, Change] = {"truncated": truncated, "flipped": flipped}
TEXT: dict[str, Change] = {
    "types": wrong_types,
    "deep": put_in(b"[" * 100_000 + b"]" * 100_000),
    "deep objects": put_in(b'{"a":' * 5_000 + b"1" + b"}" * 5_000),
    "NaN": put_in(b"NaN"),
    "infinity": put_in(b"-Infinity"),
    "huge": put_in(b"9" * 400),
    "huge float": put_in(b"1e999"),
    "surrogate": put_in(b'"\\ud800 half"'),
    "nul": put_in(b'"a\\u0000b"'),
    "utf-16": recoded("utf-16"),
    "latin-1": recoded("latin-1"),
    "not utf-8": put_in(b'"\xff\xfe\xfa"'),
}


def in_archive(data: bytes, change: Change, chance: random.Random) -> bytes:
    """A change to one or all JSON members, written back as a whole archive."""
    out = io.BytesIO()
    with (
        Archive(io_path(data)) as source,
        zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as target,
    ):
        chosen = chance.choice([*source.names, "all"])
        for name in source.names:
            content = source.read(name)
            hit = name == chosen or chosen == "all"
            target.writestr(name, change(content, chance) if hit else content)
    return out.getvalue()


def io_path(data: bytes) -> Path:
    path = Path(io_path.folder, "source.eval")
    path.write_bytes(data)
    return path


def odd_archives(data: bytes, chance: random.Random) -> Iterator[tuple[str, bytes]]:
    """Members twice, names that climb, more than fits."""
    with Archive(io_path(data)) as source:
        members = {name: source.read(name) for name in source.names}
    extra: dict[str, list[tuple[str, bytes]]] = {
        "twice": [(name, members[name]) for name in list(members)[:4]],
        "climbing": [
            ("../../../../tmp/climbed.json", b"{}"),
            ("samples/../../x_epoch_1.json", members[next(n for n in members if "samples/" in n)]),
            ("/etc/climbed", b"x"),
            ("samples/\\..\\..\\x.json", b"{}"),
        ],
        "bomb": [("samples/bomb_epoch_1.json", b"0" * (300 * 2**20))],
        "bomb of summaries": [("_journal/summaries/9.json", b"[" + b" " * (300 * 2**20) + b"]")],
        "many members": [(f"samples/{i}_epoch_9.json", b"{") for i in range(3000)],
        "odd names": [("samples/.json", b"null"), ("samples/\x00_epoch_1.json", b"{}")],
    }
    for name, added in extra.items():
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as target:
            for member, content in [*members.items(), *added]:
                target.writestr(member, content)
        yield name, out.getvalue()


def bases() -> list[Path]:
    """Small logs of every format, by the real tools."""
    found = [p for p in sorted(DATA.rglob("*")) if p.suffix in DATA_SUFFIXES]
    return [
        p
        for p in found
        if p.stat().st_size < 400_000 and p.name != "MANIFEST.json" and "make" not in p.parts
    ]


def mutants(folder: Path) -> dict[Path, Path]:
    """Mutated logs written into `folder`, each with the log it was made from."""
    io_path.folder = folder.parent
    chance = random.Random(11)
    made: dict[Path, Path] = {}

    def keep(base: Path, name: str, data: bytes) -> None:
        path = folder / f"{len(made):03d} {name}{base.suffix}"
        path.write_bytes(data)
        made[path] = base

    for base in bases():
        data = base.read_bytes()
        zipped, binary = data[:2] == b"PK", base.suffix in (".zst", ".pb")
        for name, change in BYTES.items():
            for _ in range(8 if binary else 4):
                keep(base, name, change(data, chance))
        for name, change in [] if binary else TEXT.items():
            keep(base, name, in_archive(data, change, chance) if zipped else change(data, chance))
        if zipped and not any(p.suffix == ".eval" and "bomb" in p.name for p in made):
            for name, content in odd_archives(data, chance):
                keep(base, name, content)
    return made


READ = """
import resource, sys
resource.setrlimit(resource.RLIMIT_DATA, (%d, %d))
from aiops_lab import open_lab
done = open_lab(sys.argv[1]).ingest(*sys.argv[2:])
# its own peak: what getrusage tells is at least what the process that started this one held
peak = next(line for line in open("/proc/self/status") if line.startswith("VmHWM"))
print(done.added, int(peak.split()[1]) // 1024)
"""


@pytest.fixture(scope="module")
def read_lab(tmp_path_factory: pytest.TempPathFactory) -> tuple[Lab, dict[Path, Path]]:
    home = tmp_path_factory.mktemp("hostile")
    folder = home / "logs"
    folder.mkdir()
    made = mutants(folder)
    good = write_eval(folder / "zz good.eval", "good")
    script = READ % (2 * MEMORY, 2 * MEMORY)
    done = subprocess.run(
        [sys.executable, "-c", script, str(home / "lab"), str(folder)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    peak = int(done.stdout.split()[1])
    print(f"{len(made)} mutants, peak memory {peak} MiB")
    assert peak * 2**20 < MEMORY
    made[good] = good
    return open_lab(home / "lab"), made


def test_each_gives_rows_or_a_quarantine_entry(read_lab: tuple[Lab, dict[Path, Path]]) -> None:
    lab, made = read_lab
    assert len(made) > 300
    ingests = lab.table("ingests")
    troubled = set(lab.table("quarantine")["digest"])
    by_uri = {
        uri: (digest, rows)
        for uri, digest, rows in ingests.select("source_uri", "digest", "rows").iter_rows()
    }
    silent = []
    for path in made:
        if path.resolve().as_uri() not in by_uri:
            continue  # the same bytes as another mutant
        digest, rows = by_uri[path.resolve().as_uri()]
        counts = {row["table"]: row["rows"] for row in rows}
        if not any(counts.get(t) for t in TABLES) and digest not in troubled:
            silent.append(path.name)
    assert not silent
    assert ingests.height >= 0.9 * len(made)


def test_every_entry_says_where_and_why(read_lab: tuple[Lab, dict[Path, Path]]) -> None:
    lab, _ = read_lab
    quarantine = lab.table("quarantine")
    assert quarantine.height
    assert quarantine.select(pl.col("place", "reason").str.len_chars().min() > 2).row(0) == (
        True,
        True,
    )
    assert not quarantine.filter(pl.col("reason").str.contains("(?i)traceback")).height


def test_the_good_log_beside_them_is_read(read_lab: tuple[Lab, dict[Path, Path]]) -> None:
    lab, _ = read_lab
    assert lab.samples("good").height == 5
    assert not Path("/tmp/climbed.json").exists()


def test_rows_out_of_damaged_archives_are_right(
    read_lab: tuple[Lab, dict[Path, Path]], tmp_path: Path
) -> None:
    """Bytes that rotted are caught by checksums, so what is read is what was written."""
    lab, made = read_lab
    damaged = {
        p.resolve().as_uri(): b
        for p, b in made.items()
        if b.suffix == ".eval" and any(n in p.name for n in ("flipped", "truncated", "twice"))
    }
    whole = open_lab(tmp_path / "whole")
    known = {}
    for base in set(damaged.values()):
        alone = open_lab(tmp_path / base.stem)
        alone.ingest(base)
        known[base] = alone.table("scores").with_columns(pl.col("value").fill_null(-9))
    assert whole.version == 0
    store = lab._store
    listed = store.listed().select("attempt", "source_uri")
    rows = store._delta("scores").to_pyarrow_table()
    scores = (
        pl.DataFrame(rows).join(listed, on="attempt").with_columns(pl.col("value").fill_null(-9))
    )
    key = ["run_id", "sample_id", "epoch", "metric", "value"]
    checked = 0
    for (uri,), part in scores.group_by("source_uri"):
        if uri in damaged:
            missing = part.join(known[damaged[uri]], on=key, how="anti")
            assert not missing.height, missing
            checked += part.height
    assert checked > 0
