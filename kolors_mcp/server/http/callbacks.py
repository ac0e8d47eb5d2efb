"""Where Kling calls back when a task moves on: nothing that it says is believed, it only makes us look sooner.

Each create gets an address of its own, which nobody can guess who does not know the account's keys. Where Kling signs
its calls (Standard Webhooks; kling-facts), an unsigned one is refused besides.
"""

import asyncio
import base64
import binascii
import hashlib
import hmac
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.routing import Route

from kolors_mcp.bounds import linear
from kolors_mcp.clock import Clock
from kolors_mcp.server.http.refusals import refusal
from kolors_mcp.settings import Credentials

if TYPE_CHECKING:
    from pydantic import SecretStr
    from starlette.datastructures import Headers
    from starlette.requests import Request

CALLBACK_PATH = "/callbacks"
MAX_BODY_BYTES = 256 * 1024
MAX_BODY_SECONDS = 10.0
MAX_AGE_SECONDS = 300.0
"""Between a signed call's time and ours (vendor)."""
_KEY_OF_ADDRESSES = b"kolors-mcp: addresses for callbacks"
_MARK_BYTES = 16
"""Of the mark that makes an address; they cannot be guessed, and a link stays short."""


class CallbackAddresses:
    """Addresses for Kling, one for each create. All replicas of an account make and know the same ones.

    Args:
        origin: Under which the world reaches the service; None: it does not, and there are none.
        credentials: The account's; with other keys than those of its create, an address is not known any more.
    """

    def __init__(self, origin: str | None, credentials: Callable[[], Credentials | None]) -> None:
        self._origin = origin
        self._credentials = credentials

    def address_of(self, reference: str) -> str | None:
        """Return the address that is given to Kling with a create; None without keys."""
        mark = self._mark(reference)
        return None if mark is None or self._origin is None else f"{self._origin}{CALLBACK_PATH}/{reference}/{mark}"

    def knows(self, reference: str, mark: str) -> bool:
        """Whether an address with these parts was made here."""
        expected = self._mark(reference)
        return expected is not None and hmac.compare_digest(expected.encode(), mark.encode())

    def _mark(self, reference: str) -> str | None:
        credentials = self._credentials()
        secret = None if credentials is None else credentials.api_key or credentials.secret_key
        if secret is None:
            return None
        key = hmac.digest(secret.get_secret_value().encode(), _KEY_OF_ADDRESSES, hashlib.sha256)
        mark = hmac.digest(key, reference.encode(), hashlib.sha256)[:_MARK_BYTES]
        return base64.urlsafe_b64encode(mark).decode().rstrip("=")


class Callbacks:
    """Takes Kling's calls.

    Args:
        addresses: Which addresses there are.
        secret: With which Kling signs; None: it does not.
        look: Makes whoever waits for the create with this reference look at it soon, on every replica.
        clock: Tells how old a signed call is.
    """

    def __init__(
        self,
        addresses: CallbackAddresses,
        secret: "SecretStr | None",
        look: Callable[[str], Awaitable[None]],
        clock: Clock,
    ) -> None:
        self._addresses = addresses
        self._secret = secret
        self._look = look
        self._clock = clock

    @property
    def route(self) -> Route:
        """Where they arrive."""
        return Route(f"{CALLBACK_PATH}/{{reference}}/{{mark}}", self._take, methods=["POST"])

    async def _take(self, request: "Request") -> Response:
        reference: str = request.path_params["reference"]
        if not self._addresses.knows(reference, request.path_params["mark"]):
            return refusal(404, "There is nothing here.")
        try:
            async with asyncio.timeout(MAX_BODY_SECONDS):
                body = await _read(request)
        except TimeoutError:
            return refusal(408, f"The body did not come within {MAX_BODY_SECONDS:.0f} seconds.")
        except ClientDisconnect:
            return refusal(400, "The connection ended inside the body.")
        if body is None:
            return refusal(413, f"A callback has at most {MAX_BODY_BYTES} bytes.")
        if self._secret is not None and not is_signed(
            self._secret.get_secret_value(), request.headers, body, self._clock.wall()
        ):
            return refusal(401, "The signature is missing, wrong or older than five minutes.")
        await self._look(reference)
        return Response(status_code=204)


def is_signed(secret: str, headers: "Headers", body: bytes, now: float) -> bool:
    """Whether a message is Kling's, as Standard Webhooks has it.

    Args:
        secret: `whsec_` and the base64 of the key.
        headers: `webhook-id`, `webhook-timestamp` in seconds, and `webhook-signature`: items with blanks between them,
            of which any may be right.
        body: As it came.
        now: Seconds since 1970.
    """
    message_id, timestamp = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    if not message_id or not (timestamp.isascii() and timestamp.isdecimal() and len(timestamp) <= 12):  # noqa: PLR2004
        return False
    if abs(now - int(timestamp)) > MAX_AGE_SECONDS:
        return False
    key = base64.b64decode(secret.removeprefix("whsec_"))
    # As the header came: what is no Latin-1 was refused by the web server.
    expected = hmac.digest(key, b".".join((message_id.encode("latin-1"), timestamp.encode(), body)), hashlib.sha256)
    items = (item.partition(",") for item in headers.get("webhook-signature", "").split(" "))
    return any(version == "v1" and hmac.compare_digest(expected, _decoded(encoded)) for version, _, encoded in items)


@linear(b"QUJD", b"=", b"%")
def _decoded(encoded: str) -> bytes:
    try:
        return base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        return b""


async def _read(request: "Request") -> bytes | None:
    """Return the body; None if it has too many bytes."""
    announced = request.headers.get("content-length", "0")
    if len(announced) > len(str(MAX_BODY_BYTES)) or not announced.isdecimal() or int(announced) > MAX_BODY_BYTES:
        return None
    pieces: list[bytes] = []
    size = 0
    async for piece in request.stream():
        size += len(piece)
        if size > MAX_BODY_BYTES:
            return None
        pieces.append(piece)
    return b"".join(pieces)
