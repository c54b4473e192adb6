"""A server on this machine in place of those that hand out the published sets."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from http.server import BaseHTTPRequestHandler, SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

NOWHERE = "http://127.0.0.1:9/"  # the port where nothing listens


class Quiet(SimpleHTTPRequestHandler):
    """The files of a folder, always from their beginning."""

    def log_message(self, *_: object) -> None:
        """Say nothing."""


class Broken(BaseHTTPRequestHandler):
    """Half of what was promised, then nothing."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "1000")
        self.end_headers()
        self.wfile.write(b"PK" * 250)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


class Ranged(Quiet):
    """The files of a folder from any byte on; cut off after ``limit`` bytes where that is not None.

    Answers begin after ``seconds``; where ``pause`` is not None the first stops after so many bytes, until ``go_on``.
    """

    limit: ClassVar[int | None] = None
    seconds: ClassVar[float] = 0
    pause: ClassVar[int | None] = None
    paused: ClassVar[threading.Event] = threading.Event()
    go_on: ClassVar[threading.Event] = threading.Event()
    sent: ClassVar[list[tuple[int, int]]] = []  # status and number of bytes of every answer

    def do_GET(self) -> None:
        time.sleep(self.seconds)
        content = Path(self.translate_path(self.path)).read_bytes()
        begin = int(self.headers.get("Range", "bytes=0-").removeprefix("bytes=").removesuffix("-"))
        status = 416 if begin >= len(content) else 206 if begin else 200
        rest = content[begin:] if status < 400 else b""
        self.send_response(status)
        self.send_header("Content-Length", str(len(rest)))
        self.end_headers()
        self.sent.append((status, len(rest[: self.limit])))
        if self.pause and not self.paused.is_set():
            self.wfile.write(rest[: self.pause])
            rest = rest[self.pause :]
            self.paused.set()
            self.go_on.wait(60)
        with suppress(ConnectionError):  # the other side may be dead by now
            self.wfile.write(rest[: self.limit])


@contextmanager
def serving(folder: Path | None, kind: type[Quiet] = Quiet) -> Iterator[str]:
    """The address at which the files of a folder can be had; without one, a server that breaks off."""
    handler = partial(kind, directory=str(folder)) if folder else Broken
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/"
        finally:
            server.shutdown()
