"""The door of the service without a socket: what it answers to a token, and as whom it lets one in, in turned time."""

from dataclasses import dataclass, field

import httpx
from starlette.responses import JSONResponse
from starlette.types import Receive, Scope, Send

from kolors_mcp.clock import Clock
from kolors_mcp.server.http.authentication import Authentication
from kolors_mcp.service_settings import ServiceSettings
from tests.support.issuer import AUDIENCE


@dataclass
class Door:
    """Before an application that tells who has come in."""

    settings: ServiceSettings
    now: float = 1000.0
    authentication: Authentication = field(init=False)

    def __post_init__(self) -> None:
        self.authentication = Authentication(self.settings, AUDIENCE, Clock(monotonic=lambda: self.now))

    async def asked(self, token: str | None, **headers: str) -> httpx.Response:
        """What a request with this token is answered."""
        if token is not None:
            headers["authorization"] = f"Bearer {token}"
        transport = httpx.ASGITransport(self.authentication.before(self._tell))
        async with httpx.AsyncClient(transport=transport, base_url="http://door") as client:
            return await client.post("/mcp", headers={name.replace("_", "-"): text for name, text in headers.items()})

    async def status(self, token: str | None) -> int:
        return (await self.asked(token)).status_code

    async def user(self, token: str) -> str:
        """As whom it lets one in."""
        answer = await self.asked(token)
        assert answer.status_code == 200, answer.text
        return answer.json()["user"]

    async def _tell(self, scope: Scope, receive: Receive, send: Send) -> None:
        caller = self.authentication.caller()
        await JSONResponse({"user": caller.user, "may_create": caller.may_create})(scope, receive, send)
