"""Guards of a link's form and of its answer, each beside a control: without the guard the same link is fetched."""

from collections.abc import Callable
from functools import partial

import httpx
import pytest

from kolors_mcp.egress.allowed import AllowedHosts
from kolors_mcp.images.sources import fetch
from tests.support.dialling import refusal_of
from tests.support.images_support import png
from tests.support.network import PUBLIC, Network, response

Switch = Callable[[pytest.MonkeyPatch], None]


def _answering(answer: bool | None, *_asked: object) -> bool | None:
    return answer


def without_ports(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(AllowedHosts, "name", staticmethod(partial(_answering, True)))


def without_credentials(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(httpx.URL, "userinfo", b"")


def without_status(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(fetch, "HTTPStatus", type("Any", (), {"OK": 203, "TOO_MANY_REQUESTS": 429}))


GUARDS: dict[str, tuple[str, bytes, Switch, str]] = {
    "port": ("http://shop.example:8080/a.png", response(png()), without_ports, "port 8080"),
    "credentials": ("http://me:secret@shop.example/a.png", response(png()), without_credentials, "name or password"),
    "status": (
        "http://shop.example/a.png",
        response(png()).replace(b"200 OK", b"203 OK", 1),
        without_status,
        "203",
    ),
}


@pytest.mark.parametrize("guard", GUARDS)
def test_what_a_guard_refuses_would_be_fetched_without_it(guard: str, monkeypatch: pytest.MonkeyPatch) -> None:
    link, answer, switch_off, words = GUARDS[guard]

    def network() -> Network:
        return Network(names={"shop.example": [[PUBLIC]]}, scripts={PUBLIC: answer})

    refusal = refusal_of(network(), link)
    assert refusal is not None
    assert words in refusal
    assert "secret" not in refusal
    switch_off(monkeypatch)
    assert refusal_of(network(), link) is None
