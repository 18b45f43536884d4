"""What a lab asks of S3, on the loopback: objects, ranges, lists, conditional and multipart puts.

Written from the published interface (Amazon S3 API Reference). It is a process of its own, as
deltalake now and then waits for an answer without letting other threads run.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape

KEY, BUCKET = "AKIALOOPBACK", "labs"
HEADERS = {"Authorization": f"AWS4-HMAC-SHA256 Credential={KEY}/20260501/us-east-1/s3"}


class Bucket:
    """The bucket as tests reach it."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.environment = {
            "AWS_ENDPOINT_URL": url, "AWS_ALLOW_HTTP": "true", "AWS_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": KEY, "AWS_SECRET_ACCESS_KEY": "secret",
        }  # fmt: skip

    def _ask(self, path: str, data: bytes | None = None) -> str:
        method = "GET" if data is None else "PUT"
        asked = urllib.request.Request(f"{self.url}/{BUCKET}{path}", data, HEADERS, method=method)
        with urllib.request.urlopen(asked, timeout=60) as answer:
            return answer.read().decode()

    def put(self, key: str, data: bytes) -> None:
        self._ask(f"/{key}", data)

    def names(self) -> list[str]:
        return re.findall("<Key>(.*?)</Key>", self._ask(""))

    def trouble(self, **rule: Any) -> dict[str, int]:
        """How puts go from now on; returns what happened under the rule before.

        Parameters
        ----------
        refused, lost
            Chances that a put is refused, or that its answer is lost.
        commits
            Lose the answer to each commit of a table, once.
        kill, at
            A process that is killed at the put of that number.
        """
        return json.loads(self._ask("/?trouble", json.dumps(rule).encode()))


class Objects:
    """What the server holds, and how it misbehaves."""

    def __init__(self) -> None:
        self.held: dict[str, bytes] = {}
        self.parts: dict[str, dict[int, bytes]] = {}
        self.lock = threading.Lock()
        self.rule: dict[str, Any] = {}
        self.seen: dict[str, int] = {}
        self.chance = random.Random(11)

    def trouble(self, key: str) -> str:
        """What happens to a put: "", refused or lost."""
        rule = self.rule
        self.seen["puts"] = self.seen.get("puts", 0) + 1
        if self.seen["puts"] == rule.get("at"):
            os.kill(rule["kill"], signal.SIGKILL)
            time.sleep(0.05)
        drawn, happens = self.chance.random(), ""
        if drawn < rule.get("refused", 0):
            happens = "refused"
        elif drawn < rule.get("refused", 0) + rule.get("lost", 0):
            happens = "lost"
        elif rule.get("commits") and "_delta_log" in key and key not in self.seen:
            happens = self.seen[key] = "lost"
        self.seen[happens] = self.seen.get(happens, 0) + 1
        return happens


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    objects: Objects

    def answer(self, status: int, body: bytes = b"", **headers: str) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def error(self, status: int, code: str) -> None:
        self.answer(status, f"<Error><Code>{code}</Code></Error>".encode())

    def do_any(self) -> None:
        self.body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        url = urlsplit(self.path)
        bucket, _, self.key = unquote(url.path)[1:].partition("/")
        self.asked = {k: v[0] for k, v in parse_qs(url.query, keep_blank_values=True).items()}
        if f"Credential={KEY}/" not in self.headers.get("Authorization", ""):
            return self.error(403, "AccessDenied")
        if bucket != BUCKET:
            return self.error(404, "NoSuchBucket")
        getattr(self, f"on_{self.command.lower()}")()

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = do_any

    def on_get(self) -> None:
        if not self.key:
            return self.on_list()
        data = self.objects.held.get(self.key)
        if data is None:
            return self.error(404, "NoSuchKey")
        tags = {"ETag": etag(data), "Last_Modified": "Fri, 01 May 2026 10:00:00 GMT"}
        found = re.fullmatch(r"bytes=(\d*)-(\d*)", self.headers.get("Range", ""))
        if not found:
            return self.answer(200, data, **tags)
        first = int(found[1]) if found[1] else max(0, len(data) - int(found[2]))
        last = min(int(found[2]) if found[1] and found[2] else len(data) - 1, len(data) - 1)
        tags["Content_Range"] = f"bytes {first}-{last}/{len(data)}"
        self.answer(206, data[first : last + 1], **tags)

    on_head = on_get

    def on_list(self) -> None:
        prefix, after = self.asked.get("prefix", ""), self.asked.get("start-after", "")
        keys = [key for key in sorted(self.objects.held) if key.startswith(prefix) and key > after]
        if delimiter := self.asked.get("delimiter"):
            keys = [key for key in keys if delimiter not in key[len(prefix) :]]
        found = "".join(
            f"<Contents><Key>{escape(key)}</Key><LastModified>2026-05-01T10:00:00.000Z"
            f"</LastModified><ETag>{etag(data)}</ETag><Size>{len(data)}</Size></Contents>"
            for key in keys
            if (data := self.objects.held.get(key)) is not None
        )
        told = f"<Name>{BUCKET}</Name><IsTruncated>false</IsTruncated>"
        self.answer(200, f"<ListBucketResult>{told}{found}</ListBucketResult>".encode())

    def on_put(self) -> None:
        if "trouble" in self.asked:
            told = json.dumps({name: n for name, n in self.objects.seen.items() if n != "lost"})
            self.objects.rule, self.objects.seen = json.loads(self.body), {}
            return self.answer(200, told.encode())
        if number := self.asked.get("partNumber"):
            self.objects.parts[self.asked["uploadId"]][int(number)] = self.body
            return self.answer(200, ETag=etag(self.body))
        self.store(self.body)

    def store(self, data: bytes, told: bytes = b"") -> None:
        trouble = self.objects.trouble(self.key)
        if trouble == "refused":
            return self.error(503, "SlowDown")
        with self.objects.lock:
            if self.headers.get("If-None-Match") == "*" and self.key in self.objects.held:
                return self.error(412, "PreconditionFailed")
            self.objects.held[self.key] = data
        if trouble == "lost":
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)
            return
        self.answer(200, told, ETag=etag(data))

    def on_post(self) -> None:
        if "uploads" in self.asked:
            name = f"upload{len(self.objects.parts)}"
            self.objects.parts[name] = {}
            told = f"<UploadId>{name}</UploadId>"
            body = f"<InitiateMultipartUploadResult>{told}</InitiateMultipartUploadResult>"
            self.answer(200, body.encode())
        elif "uploadId" in self.asked:
            parts = self.objects.parts.pop(self.asked["uploadId"])
            data = b"".join(parts[number] for number in sorted(parts))
            told = f"<ETag>{etag(data)}</ETag>"
            body = f"<CompleteMultipartUploadResult>{told}</CompleteMultipartUploadResult>"
            self.store(data, body.encode())
        else:
            for key in re.findall("<Key>(.*?)</Key>", self.body.decode()):
                self.objects.held.pop(key, None)
            self.answer(200, b"<DeleteResult></DeleteResult>")

    def on_delete(self) -> None:
        self.objects.held.pop(self.key, None)
        self.answer(204)

    def log_message(self, format: str, *args: object) -> None:
        pass


def etag(data: bytes) -> str:
    return f'"{hashlib.md5(data, usedforsecurity=False).hexdigest()}"'


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        pass  # of a lost answer, and of processes that were killed


@contextmanager
def s3() -> Iterator[Bucket]:
    """An empty bucket on a free port of the loopback."""
    command = [sys.executable, "-m", "tests.s3_server"]
    root = Path(__file__).parent.parent
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=root) as server:
        assert server.stdout
        try:
            yield Bucket(server.stdout.readline().strip())
        finally:
            server.kill()


if __name__ == "__main__":
    Handler.objects = Objects()
    with Server(("127.0.0.1", 0), Handler) as http:
        print(f"http://127.0.0.1:{http.server_address[1]}", flush=True)
        http.serve_forever()
