"""A real nginx on loopback before the replicas."""

import os
import shutil
import subprocess
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from tests.support.commands import environment

from .programs import Program

MISSING = (
    "nginx is not here and cannot be installed. Install it (Debian: apt-get install nginx-light), or name its path in "
    "the variable NGINX. `--only single` needs none."
)
CONFIGURATION = """
daemon off;
worker_processes 1;
pid nginx.pid;
error_log stderr warn;
{user}
events {{ worker_connections 8192; }}
http {{
    access_log off;
    client_body_temp_path body;
    proxy_temp_path proxy;
    fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi;
    scgi_temp_path scgi;
    upstream replicas {{
{servers}
        keepalive 64;
    }}
    server {{
        listen 127.0.0.1:{port} backlog=4096;
        client_max_body_size 28m;
        location / {{
            proxy_pass http://replicas;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_set_header Host $http_host;
            proxy_buffering off;
            proxy_request_buffering on;
            proxy_next_upstream off;
            proxy_connect_timeout 5s;
            proxy_read_timeout 330s;
        }}
    }}
}}
"""


class NoProxyError(RuntimeError):
    """There is no nginx here; the text says what to do."""


def nginx_program() -> str:
    """Return the path of nginx, installing it where that can be done.

    Raises:
        NoProxyError: It is not here, and cannot be.
    """
    # Debian keeps it where only root looks.
    places = os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin", "/sbin"))
    found = os.environ.get("NGINX") or shutil.which("nginx", path=places)
    apt_get = shutil.which("apt-get")
    if found is None and os.geteuid() == 0 and apt_get is not None:
        own, nothing = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}, subprocess.DEVNULL
        for command in (["update"], ["install", "-y", "--no-install-recommends", "nginx-light"]):
            subprocess.run([apt_get, "-qq", *command], check=True, env=own, stdin=nothing, stdout=nothing)
        found = shutil.which("nginx", path=places)
    if found is None:
        raise NoProxyError(MISSING)
    return found


@asynccontextmanager
async def proxy(folder: Path, port: int, replicas: Sequence[int]) -> AsyncGenerator[Program]:
    """Run nginx for the length of the block.

    Args:
        folder: For its files.
        port: Where it listens.
        replicas: The ports of the replicas.
    """
    place = folder / "nginx"
    place.mkdir()
    servers = "\n".join(f"        server 127.0.0.1:{one} max_fails=1 fail_timeout=2s;" for one in replicas)
    user = "user root;" if os.geteuid() == 0 else ""
    (place / "nginx.conf").write_text(CONFIGURATION.format(port=port, servers=servers, user=user), "utf-8")
    command = [nginx_program(), "-p", str(place), "-c", str(place / "nginx.conf"), "-e", "stderr"]
    program = Program("nginx", command, environment(folder), folder)
    try:
        await program.start()
        yield program
    finally:
        await program.end()
