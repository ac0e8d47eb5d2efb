"""The issuer's keys: rotated, withdrawn, asked for rarely; an issuer that is away, slow, or not what it should be."""

from collections.abc import AsyncGenerator, Callable, Iterator
from functools import partial
from http.server import BaseHTTPRequestHandler
from threading import Event

import anyio
import pytest

from kolors_mcp.server.http.keys import TRUSTED_SECONDS
from kolors_mcp.service_settings import ServiceSettings
from tests.support.issuer import PATH, Issuer, issuing, published, rsa_key, say
from tests.support.letting_in import Door
from tests.support.still_time import turn

ROTATED_WITHIN_SECONDS = 45.0
pytestmark = pytest.mark.anyio


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    with issuing() as made:
        yield made


@pytest.fixture
async def door(issuer: Issuer) -> AsyncGenerator[Door]:
    made = Door(ServiceSettings(issuer=issuer.name))
    yield made
    await made.authentication.aclose()


async def settled(door: Door, token: str) -> int:
    """The status of a token once what it made the door fetch in the background is there."""
    status = await door.status(token)
    fetch = door.authentication._keys._fetches.get("keys")  # pyright: ignore[reportPrivateUsage, reportOptionalMemberAccess]
    if fetch is None:
        return status
    await fetch
    return await door.status(token)


async def test_a_rotated_key_is_taken_and_the_old_one_refused_soon_after(issuer: Issuer, door: Door) -> None:
    old, new = issuer.token(), issuer.token(rsa_key(1), "second")
    assert await door.status(old) == 200
    issuer.keys = [published(rsa_key(1), kid="second")]
    assert await door.status(new) == 401, "it was fetched a moment ago"
    door.now += ROTATED_WITHIN_SECONDS
    assert await door.status(new) == 200
    assert await door.status(old) == 401


async def test_a_key_that_is_withdrawn_is_refused_soon_after_though_no_new_one_is_used(
    issuer: Issuer, door: Door
) -> None:
    assert await door.status(issuer.token()) == 200
    issuer.keys = [published(rsa_key(1), kid="second")]
    door.now += ROTATED_WITHIN_SECONDS
    assert await settled(door, issuer.token()) == 401


async def test_another_key_under_the_same_name_is_taken(issuer: Issuer, door: Door) -> None:
    assert await door.status(issuer.token()) == 200
    issuer.keys = [published(rsa_key(1), kid="first")]
    door.now += 15
    assert await door.status(issuer.token(rsa_key(1))) == 200
    assert await door.status(issuer.token()) == 401


async def test_tokens_with_unknown_keys_cost_the_issuer_one_question_in_a_while(issuer: Issuer, door: Door) -> None:
    assert await door.status(issuer.token()) == 200
    door.now += 15
    async with anyio.create_task_group() as tasks:
        for number in range(20):
            tasks.start_soon(door.status, issuer.token(rsa_key(1), f"unknown-{number}"))
    assert issuer.times_asked_for_keys == 2


async def test_without_the_issuer_nobody_comes_in_and_the_answer_says_so(issuer: Issuer, door: Door) -> None:
    issuer.answer = partial(say, value={}, status=500)
    answer = await door.asked(issuer.token())
    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "5"
    assert "authorization server" in answer.text
    asked = len(issuer.asked)
    assert await door.status(issuer.token()) == 503
    assert len(issuer.asked) == asked, "it is not asked at each call"
    issuer.answer = None
    door.now += 15
    assert await door.status(issuer.token()) == 200


async def test_an_issuer_that_does_not_answer_holds_nobody_for_long(issuer: Issuer, door: Door) -> None:
    reached, left = anyio.Event(), Event()
    loop_token = anyio.lowlevel.current_token()

    def hold(_request: BaseHTTPRequestHandler) -> None:
        anyio.from_thread.run_sync(reached.set, token=loop_token)
        left.wait()

    issuer.answer = hold
    found: list[int] = []

    async def ask() -> None:
        found.append(await door.status(issuer.token()))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(ask)
        await reached.wait()
        turn(5.5)
    left.set()
    assert found == [503]


async def test_while_the_issuer_is_away_its_keys_are_believed_for_a_while(issuer: Issuer, door: Door) -> None:
    assert await door.status(issuer.token()) == 200
    issuer.answer = partial(say, value={}, status=502)
    door.now += TRUSTED_SECONDS - 60
    assert await settled(door, issuer.token()) == 200
    door.now += 120
    assert await door.status(issuer.token()) == 503


async def test_a_static_token_needs_no_issuer(issuer: Issuer, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("static") / "tokens"
    path.write_text("ana 2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b try_on:read\n")
    issuer.answer = partial(say, value={}, status=500)
    door = Door(ServiceSettings(issuer=issuer.name, tokens=path))
    assert await door.status("secret") == 200
    assert await door.status("no token of anybody's") == 401
    assert await door.status(issuer.token()) == 503


async def test_a_user_of_the_file_and_one_of_the_issuer_of_the_same_name_are_two(
    issuer: Issuer, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("static") / "tokens"
    path.write_text("ana 2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b try_on:read\n")
    door = Door(ServiceSettings(issuer=issuer.name, tokens=path))
    assert await door.user("secret") != await door.user(issuer.token(sub="ana"))
    assert await door.user(issuer.token(sub="ana")) == await door.user(issuer.token(sub="ana", jti="another"))
    assert await door.user(issuer.token(sub="ana")) != await door.user(issuer.token(sub="Ana"))


@pytest.mark.parametrize(
    "place", [f"{PATH}/.well-known/openid-configuration", f"/.well-known/openid-configuration{PATH}"]
)
async def test_metadata_are_found_where_openid_has_them(place: str, issuer: Issuer, door: Door) -> None:
    issuer.places = {place}
    assert await door.status(issuer.token()) == 200


def endless(request: BaseHTTPRequestHandler) -> None:
    request.send_response(200)
    request.end_headers()
    request.wfile.write(b'{"keys": [' + b" " * 2_000_000)


WRONG: dict[str, Callable[[Issuer], None]] = {
    "another issuer's metadata": lambda issuer: issuer.said.update(issuer="https://login.other.example"),
    "keys over http elsewhere": lambda issuer: issuer.said.update(jwks_uri="http://keys.example/keys"),
    "keys in a file": lambda issuer: issuer.said.update(jwks_uri="file:///etc/passwd"),
    "keys nowhere": lambda issuer: issuer.said.update(jwks_uri=None),
    "no keys": lambda issuer: issuer.keys.clear(),
    "a list": lambda issuer: setattr(issuer, "answer", partial(say, value=[])),
    "no JSON": lambda issuer: setattr(issuer, "answer", partial(say, value="a")),
    "endless": lambda issuer: setattr(issuer, "answer", endless),
    "a redirect": lambda issuer: setattr(
        issuer, "answer", partial(say, value={}, status=302, Location=f"{issuer.origin}/keys")
    ),
}


@pytest.mark.parametrize("wrong", WRONG)
async def test_an_issuer_that_is_not_what_it_should_be_lets_nobody_in(wrong: str, issuer: Issuer, door: Door) -> None:
    WRONG[wrong](issuer)
    assert await door.status(issuer.token()) == 503
