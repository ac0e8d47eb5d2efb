"""What the settings of nginx are for, seen with a real nginx before two small replicas; and without them, not."""

import http.client
import json
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from scripts import loopback_nginx

SECONDS = 20
"""What an answer may take before it counts as held back."""
PASSED_ON_SECONDS = 3
NAME = "try-on.shop.example"
SECRET = "5ecre7"


class Replica(ThreadingHTTPServer):
    """Answers every POST and PUT with what its path asks for, and remembers what it saw."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answering)
        self.seen: list[dict[str, str]] = []
        self.may_end = threading.Event()

    def handle_error(self, request: object, client_address: object) -> None:
        """Let go of a connection that nginx has ended, as it may; anything else is a fault."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)  # pyright: ignore[reportArgumentType]  # as it was given


class Answering(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Replica  # pyright: ignore[reportIncompatibleVariableOverride]  # it is never another one

    def do_POST(self) -> None:
        self.server.seen.append({name.lower(): value for name, value in self.headers.items()})
        self.rfile.read(int(self.headers["Content-Length"]))
        if self.path.startswith("/dies"):
            self.close_connection = True
            return
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        self._send(b"progress")
        if self.path.startswith("/streams"):
            # Apart from the headers, with which nginx passes on what it read together with them.
            time.sleep(0.1)
            self._send(b"progress")
            self.server.may_end.wait(4 * SECONDS)
        self._send(b"result")
        self._send(b"")

    do_PUT = do_POST  # noqa: N815  (the name in the standard library)

    def _send(self, piece: bytes) -> None:
        self.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece))
        self.wfile.flush()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  (the name in the standard library)
        pass


@dataclass
class Stage:
    """Two replicas behind an nginx, and a third that is gone."""

    port: int
    folder: Path
    replicas: list[Replica]
    running: subprocess.Popen[bytes]

    def call(
        self, path: str, length: int = 2, sent: bytes = b"{}", method: str = "POST", **headers: str
    ) -> http.client.HTTPConnection:
        """Send a POST or PUT, or its beginning."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=SECONDS)
        connection.putrequest(method, path, skip_host=True)
        for name, value in {"Host": NAME, "Content-Length": str(length), **headers}.items():
            connection.putheader(name.replace("_", "-"), value)
        connection.endheaders(sent)
        return connection

    def status(self, path: str, method: str = "POST") -> int:
        """Send a whole POST or PUT; return the status of its answer."""
        connection = self.call(path, method=method)
        try:
            answer = connection.getresponse()
            answer.read()
            return answer.status
        finally:
            connection.close()

    def end(self) -> None:
        """End nginx in good order: it has written all of its log then."""
        self.running.send_signal(signal.SIGQUIT)
        self.running.wait(SECONDS)

    def seen(self) -> list[dict[str, str]]:
        """Return the headers of all requests that reached a replica."""
        return [headers for replica in self.replicas for headers in replica.seen]


@contextmanager
def staged(nginx: str, templates: Path, calls_per_second: int = 1000) -> Generator[Stage]:
    """Run everything; end it again."""
    with tempfile.TemporaryDirectory(prefix="kolors-nginx-") as name:
        folder, port = Path(name), loopback_nginx.free_port()
        # Held without listening: who connects is refused.
        gone = socket.socket()
        gone.bind(("127.0.0.1", 0))
        replicas = [Replica(), Replica()]
        for replica in replicas:
            threading.Thread(target=replica.serve_forever, daemon=True).start()
        ports = [gone.getsockname()[1], *(replica.server_port for replica in replicas)]
        configuration = loopback_nginx.write_configuration(
            folder,
            port,
            [f"127.0.0.1:{number}" for number in ports],
            calls_per_second=calls_per_second,
            templates=templates,
        )
        running = subprocess.Popen(loopback_nginx.command(nginx, configuration))
        stage = Stage(port, folder, replicas, running)
        try:
            loopback_nginx.wait_for(port, running)
            yield stage
        finally:
            stage.end()
            gone.close()
            for replica in replicas:
                replica.may_end.set()
                replica.shutdown()
                replica.server_close()


def progress_is_passed_on_at_once(stage: Stage) -> bool:
    connection = stage.call("/streams")
    try:
        answer = connection.getresponse()
        return answer.read(16) == b"progress" * 2
    finally:
        connection.close()
        for replica in stage.replicas:
            replica.may_end.set()


def a_call_that_a_replica_took_and_did_not_answer_is_not_sent_again(stage: Stage) -> bool:
    return stage.status("/dies") == 502 and len(stage.seen()) == 1


def an_upload_that_a_replica_took_and_did_not_answer_is_sent_to_another_one(stage: Stage) -> bool:
    # Both take it and die. The service answers the same photo by the same link as it did the first time.
    return stage.status("/dies", "PUT") == 502 and len(stage.seen()) == 2


def calls_pass_by_a_replica_that_is_gone(stage: Stage) -> bool:
    return {stage.status("/answers") for _ in range(6)} == {200}


def the_name_that_was_asked_for_and_no_claimed_address_reach_the_replica(stage: Stage) -> bool:
    stage.call("/answers", X_Forwarded_For="192.0.2.7", X_Forwarded_Host="evil.example").getresponse().read()
    [seen] = stage.seen()
    return seen["host"] == NAME and seen["x-forwarded-for"] == "127.0.0.1" and "x-forwarded-host" not in seen


def a_body_beyond_the_limit_reaches_no_replica(stage: Stage) -> bool:
    refused = stage.call("/answers", length=(30 << 20) + 1, sent=b"").getresponse()
    return refused.status == 413 and not stage.seen()


def a_slow_upload_takes_up_no_replica(stage: Stage) -> bool:
    slow = stage.call("/answers", length=100_000, sent=b"x" * 50_000)
    stage.status("/answers")
    # Time enough for the beginning of the slow one to get through, if it does.
    end = time.monotonic() + PASSED_ON_SECONDS
    while len(stage.seen()) < 2 and time.monotonic() < end:
        time.sleep(0.05)
    reached = len(stage.seen())
    slow.send(b"x" * 50_000)
    return reached == 1 and slow.getresponse().status == 200


def the_log_has_neither_query_nor_what_follows_the_first_part_of_a_path(stage: Stage) -> bool:
    stage.status(f"/answers/{SECRET}?token={SECRET}")
    stage.status(f"/dies/{SECRET}?token={SECRET}")
    stage.end()
    logs = [(stage.folder / name).read_text(encoding="utf-8") for name in ("access.log", "error.log")]
    lines = [json.loads(line) for line in logs[0].splitlines()]
    return [line["path"] for line in lines] == ["/answers", "/dies"] and SECRET not in "".join(logs)


def whoever_calls_too_often_is_told_so(stage: Stage) -> bool:
    statuses = [stage.status("/answers") for _ in range(30)]
    return statuses[0] == 200 and 429 in statuses


@dataclass(frozen=True)
class Purpose:
    """What has to be seen, and the change of a setting with which it must not be."""

    seen: Callable[[Stage], bool]
    right: str = ""
    wrong: str = ""
    """Empty where nginx is known to do the same either way in a case as small as this one."""
    calls_per_second: int = 1000

    def is_met(self, nginx: str, templates: Path) -> bool:
        """Whether it is seen with these settings; what does not come in time is not."""
        with staged(nginx, templates, self.calls_per_second) as stage:
            try:
                return self.seen(stage)
            except TimeoutError:
                return False


PURPOSES = (
    # With buffering nginx passes pieces of a chunked answer on as well, as long as the client keeps up.
    Purpose(progress_is_passed_on_at_once),
    Purpose(
        a_call_that_a_replica_took_and_did_not_answer_is_not_sent_again,
        "proxy_next_upstream error timeout;",
        "proxy_next_upstream error timeout non_idempotent;",
    ),
    Purpose(
        an_upload_that_a_replica_took_and_did_not_answer_is_sent_to_another_one,
        "proxy_next_upstream error timeout;",
        "proxy_next_upstream off;",
    ),
    Purpose(calls_pass_by_a_replica_that_is_gone, "proxy_next_upstream error timeout;", "proxy_next_upstream off;"),
    Purpose(
        the_name_that_was_asked_for_and_no_claimed_address_reach_the_replica,
        "proxy_set_header Host $http_host;",
        "proxy_set_header Host $proxy_host;",
    ),
    Purpose(a_body_beyond_the_limit_reaches_no_replica, "client_max_body_size 30m;", "client_max_body_size 0;"),
    Purpose(a_slow_upload_takes_up_no_replica, "proxy_request_buffering on;", "proxy_request_buffering off;"),
    Purpose(the_log_has_neither_query_nor_what_follows_the_first_part_of_a_path, "error.log crit;", "error.log error;"),
    Purpose(whoever_calls_too_often_is_told_so, "limit_req zone=", "# limit_req zone=", calls_per_second=1),
)


def faults_of(nginx: str) -> list[str]:
    """Return which purposes are not met, and which would be met without their setting."""
    faults: list[str] = []
    for purpose in PURPOSES:
        words = purpose.seen.__name__.replace("_", " ")
        if not purpose.is_met(nginx, loopback_nginx.TEMPLATES):
            faults.append(f"nginx: not so: {words}")
            continue
        if not purpose.right:
            print(f"  nginx: {words}", flush=True)
            continue
        with tempfile.TemporaryDirectory() as folder:
            copy = shutil.copytree(loopback_nginx.TEMPLATES, Path(folder) / "nginx")
            for path in copy.iterdir():
                text = path.read_text(encoding="utf-8")
                path.write_text(text.replace(purpose.right, purpose.wrong), encoding="utf-8")
            if purpose.is_met(nginx, copy):
                faults.append(f"nginx: also without {purpose.right!r}: {words}")
                continue
        print(f"  nginx: {words}; not so without {purpose.right!r}", flush=True)
    return faults
