"""A sink for the peers' own protocols (Sentry's envelopes, Elastic's intake, Datadog's agent), and a Bot API.

`python -m bench.overhead.sink PORT`; it answers each as the real receiver would, and keeps nothing.
"""

from __future__ import annotations

import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

ELASTIC = {"version": "8.15.0", "publish_ready": True}
ME = {"id": 1, "is_bot": True, "first_name": "coach", "username": "coach_bot"}
MESSAGE = {"message_id": 1, "date": 1_700_000_000, "chat": {"id": 100, "type": "private"}, "text": "50 of 2000"}
FILE = {"file_id": "photo", "file_unique_id": "photo", "file_path": "photos/1.jpg"}
PHOTO = bytes(20_000)
DATADOG_INFO = {"version": "7.60.0", "endpoints": ["/v0.4/traces", "/v0.5/traces"], "client_drop_p0s": True}


class Sink(BaseHTTPRequestHandler):
    """Takes everything."""

    protocol_version = "HTTP/1.1"
    wbufsize = -1
    """Head and body of an answer in one packet; in two, the second waits 40 ms for the first to be acknowledged."""

    def do_GET(self) -> None:
        """Say who we are, or give a user's photo."""
        if self.path.startswith("/file/"):
            self._send(200, "image/jpeg", PHOTO)
        else:
            self._answer(200, DATADOG_INFO if self.path == "/info" else ELASTIC)

    def do_POST(self) -> None:
        """Take a body of known length, or in chunks."""
        if self.headers.get("transfer-encoding", "").lower() == "chunked":
            while size := int(self.rfile.readline().split(b";")[0], 16):
                self.rfile.read(size + 2)
            self.rfile.readline()
        else:
            self.rfile.read(int(self.headers.get("content-length", 0)))
        if "/intake/" in self.path:
            self._answer(202, None)
        elif self.path.startswith("/bot"):
            results = {"getMe": ME, "getFile": FILE}
            self._answer(200, {"ok": True, "result": results.get(self.path.rpartition("/")[2], MESSAGE)})
        else:
            self._answer(200, {"rate_by_service": {}} if "traces" in self.path else {"id": "0" * 32})

    do_PUT = do_POST  # noqa: N815 - the base class's names

    def _answer(self, status: int, content: object) -> None:
        self._send(status, "application/json", b"" if content is None else json.dumps(content).encode())

    def _send(self, status: int, kind: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


if __name__ == "__main__":
    server = ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Sink)
    server.daemon_threads = True
    server.serve_forever()
