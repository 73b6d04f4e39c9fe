"""A small server for the live view: three addresses on this machine alone, none of which is a path into a folder."""

import json
import os
import sys
import threading
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from gapscope.errors import InputError
from gapscope.watching.live import LiveView

HERE = "127.0.0.1"
HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "frame-ancestors 'self'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


def watch(
    run: Path | str, port: int, data_root: Path | str | None = None, ready: Callable[[str], None] = lambda url: None
) -> None:
    """Serve the live view of a run until interrupted.

    Args:
        run: The run folder; it may be unfinished, and may vanish later.
        port: Where to listen on 127.0.0.1; 0 takes any that is free.
        data_root: Where relative `root` folders start.
        ready: Told the address, once it can be opened.

    Raises:
        InputError: If the folder holds no run, one of its files is broken, or the port is taken.
        KeyboardInterrupt: When it is to end.
    """
    run = Path(run)
    data_root = None if data_root is None else Path(data_root)
    view = LiveView(run, data_root)
    problem = view.state()["problem"]
    if problem is not None:
        raise InputError(problem)
    with make_server(view, port) as server:
        serving = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.2}, daemon=True)
        serving.start()
        try:
            ready(f"http://{HERE}:{server.server_port}/")
            while serving.is_alive():  # an interruption is heard here, and not in the middle of an answer
                serving.join(1.0)
        finally:
            server.shutdown()


def has_screen() -> bool:
    """Whether a browser that is opened here would be seen: not on a machine reached by SSH, nor without a display."""
    if "SSH_CONNECTION" in os.environ:
        return False
    return sys.platform in ("win32", "darwin") or any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY"))


def make_server(view: LiveView, port: int) -> "LiveServer":
    """A server that listens already.

    Raises:
        InputError: If the port is taken, or not for everyone.
    """
    try:
        return LiveServer(view, port)
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise InputError(
            f"port {port} of this machine cannot be used ({reason}); another 'gapscope watch' may have it. "
            "Choose another with --port, or --port 0 for any that is free."
        ) from None


class LiveServer(ThreadingHTTPServer):
    """Listens on this machine alone; each request has a thread that does not outlive it."""

    daemon_threads = True
    request_queue_size = 128
    allow_reuse_address = os.name == "posix"  # elsewhere it would share the port with another server

    def __init__(self, view: LiveView, port: int) -> None:
        self.view = view
        super().__init__((HERE, port), _Handler)

    @property
    def hosts(self) -> set[str]:
        """What a browser may call this server. A page elsewhere whose name was made to point here has another name."""
        return {f"{name}:{self.server_port}" for name in (HERE, "localhost")}

    def handle_error(self, request: object, client_address: object) -> None:
        if not isinstance(sys.exception(), ConnectionError):  # a browser that has left is no error
            super().handle_error(request, client_address)  # type: ignore[arg-type]


class _Handler(BaseHTTPRequestHandler):
    server: LiveServer
    server_version, sys_version = "gapscope", ""
    timeout = 60

    def do_GET(self) -> None:
        if self.headers.get("Host") not in self.server.hosts:
            self._send(HTTPStatus.MISDIRECTED_REQUEST, "text/plain", "This address belongs to another machine.")
            return
        try:
            address, view = urlsplit(self.path), self.server.view
        except ValueError:  # such as http://[::1
            self._send(HTTPStatus.BAD_REQUEST, "text/plain", "This is no address.")
            return
        if address.path == "/":
            self._send(HTTPStatus.OK, "text/html", view.page())
        elif address.path == "/report":
            self._send(HTTPStatus.OK, "text/html", view.report())
        elif address.path == "/state":
            seen = parse_qs(address.query).get("seen", [""])[0]
            self._send(HTTPStatus.OK, "application/json", json.dumps(view.state(seen)))
        else:
            self._send(HTTPStatus.NOT_FOUND, "text/plain", "There are three pages here: /, /report and /state.")

    def _send(self, status: HTTPStatus, kind: str, text: str) -> None:
        content = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", f"{kind}; charset=utf-8")
        self.send_header("Content-Length", str(len(content)))
        for name, value in HEADERS.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:
        """Requests are not worth a line."""
