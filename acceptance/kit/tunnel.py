"""Microsoft's hosts, led to the server under test: what an operator does with /etc/hosts, done by a CONNECT proxy.

It passes bytes on and sees none of them: TLS is between the client and the server.
"""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

HOSTS = {"graph.microsoft.com:443", "login.microsoftonline.com:443", "api.aps.skype.com:443"}
"""Anything else is refused, so that nothing leaves this machine."""

PASSED_ON = 65536
"""Bytes at a time."""


@contextmanager
def leading_to(port: int) -> Iterator[list[str]]:
    """Within it, clients that heed HTTPS_PROXY reach the server when they ask for Microsoft. Gives whom they asked."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_CONNECT(self) -> None:
            asked.append(self.path)
            if self.path not in HOSTS:
                self.send_error(403)
                return
            with socket.create_connection(("127.0.0.1", port)) as server:
                self.send_response(200)
                self.end_headers()
                back = threading.Thread(target=_pass_on, args=(server, self.connection), daemon=True)
                back.start()
                _pass_on(self.connection, server)
                back.join()

        def log_message(self, format: str, *args: object) -> None:
            pass

    proxy = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    proxy.daemon_threads = True
    threading.Thread(target=proxy.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    os.environ["HTTPS_PROXY"] = f"http://127.0.0.1:{proxy.server_address[1]}"
    try:
        yield asked
    finally:
        del os.environ["HTTPS_PROXY"]
        proxy.shutdown()
        proxy.server_close()


def _pass_on(source: socket.socket, sink: socket.socket) -> None:
    """Until the source has no more."""
    try:
        while data := source.recv(PASSED_ON):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)
    except OSError:
        pass  # Either end has gone; the other one sees it.
