"""Who is let in over HTTP, as whom, and what those are told who are not. Only the header of a request is looked at."""

from typing import TYPE_CHECKING

from mcp.server.auth.middleware.auth_context import AuthContextMiddleware, get_access_token
from mcp.server.auth.middleware.bearer_auth import AuthenticatedUser, BearerAuthBackend
from mcp.server.auth.routes import build_resource_metadata_url, create_protected_resource_routes
from pydantic import AnyHttpUrl, BaseModel, ConfigDict
from starlette.datastructures import Headers
from starlette.middleware.authentication import AuthenticationMiddleware
from starlette.responses import Response

from kolors_mcp.clock import Clock
from kolors_mcp.server.caller import Caller
from kolors_mcp.server.http.keys import IssuerKeys
from kolors_mcp.server.http.refusals import refusal
from kolors_mcp.server.http.scopes import CREATE, SCOPES, scope_for, scopes_to_ask_for
from kolors_mcp.server.http.tokens import TokenFile
from kolors_mcp.server.http.verifying import NotNowError, SignedTokens, Verifier
from kolors_mcp.service_settings import ServiceSettings

if TYPE_CHECKING:
    from collections.abc import Collection

    from starlette.authentication import AuthenticationError
    from starlette.requests import HTTPConnection
    from starlette.routing import Route
    from starlette.types import ASGIApp, Receive, Scope, Send

RETRY_SECONDS = 5
"""After which one is told to try again where the issuer's keys cannot be had."""
OPEN = Caller("local", owns_account=True, is_local=False)
"""The one user of a service that runs open, which only programs of the same machine can reach."""
_NAME = "Kling Kolors Virtual Try-On"


class _Url(BaseModel):
    """An address that is written as it was read: clients compare it letter for letter."""

    model_config = ConfigDict(url_preserve_empty_path=True)

    url: AnyHttpUrl


class Authentication:
    """Stands before the MCP endpoint; without tokens and an issuer it lets in whoever comes."""

    def __init__(self, settings: ServiceSettings, resource: str, clock: Clock) -> None:
        """Open nothing yet.

        Args:
            settings: Which tokens are taken.
            resource: Address of the MCP endpoint, as the world knows it.
            clock: By which keys and files grow old.
        """
        self._tokens = None if settings.tokens is None else TokenFile(settings.tokens, clock)
        self._keys = None if settings.issuer is None else IssuerKeys(settings.issuer, clock)
        self._metadata_url: str | None = None
        self.is_open = not settings.authenticates
        self.routes: list[Route] = []
        """Where clients find the issuer. There are none without one: clients with a token of the file would be led
        astray."""
        signed = None
        if settings.issuer is not None and self._keys is not None:
            signed = SignedTokens(settings.issuer, settings.audience or resource, self._keys)
            url = _Url.model_validate({"url": resource}).url
            self._metadata_url = str(build_resource_metadata_url(url))
            self.routes = create_protected_resource_routes(
                url, [_Url.model_validate({"url": settings.issuer}).url], list(SCOPES), _NAME
            )
        self._verifier = Verifier(self._tokens, signed)

    def before(self, application: "ASGIApp") -> "ASGIApp":
        """Return an application that hands on only requests with a token that allows what they are for."""
        if self.is_open:
            return application
        return AuthenticationMiddleware(
            AuthContextMiddleware(_Door(application, self._metadata_url)),
            backend=BearerAuthBackend(self._verifier),
            on_error=_not_now,
        )

    def caller(self) -> Caller:
        """Return whose the request is in which this is asked.

        Raises:
            PermissionError: It came in by no door of this one.
        """
        if self.is_open:
            return OPEN
        token = get_access_token()
        if token is None:
            raise PermissionError("a call without a user")
        return Caller(token.client_id, owns_account=False, may_create=CREATE in token.scopes, is_local=False)

    async def can_let_in(self) -> bool:
        """Whether anybody can come in; an issuer that does not answer has no say in it, it may in a moment."""
        if self._tokens is None or self._keys is not None:
            return True
        await self._tokens.look()
        return self._tokens.is_usable

    async def aclose(self) -> None:
        """Let go of what is under way."""
        if self._tokens is not None:
            await self._tokens.aclose()
        if self._keys is not None:
            await self._keys.aclose()


class _Door:
    """An ASGI application before another one: answers whoever has no token, or one that does not allow it."""

    def __init__(self, application: "ASGIApp", metadata_url: str | None) -> None:
        self._application = application
        self._metadata_url = metadata_url

    async def __call__(self, scope: "Scope", receive: "Receive", send: "Send") -> None:
        if scope["type"] != "http":
            await self._application(scope, receive, send)
            return
        headers, user = Headers(scope=scope), scope.get("user")
        needed = scope_for(headers)
        if not isinstance(user, AuthenticatedUser):
            about = "This needs a token in the Authorization header, one that is valid here."
            answer = self._refused(401, "invalid_token", about, scopes_to_ask_for(headers, needed))
        elif needed not in user.scopes:
            about = f"The token lacks the scope {needed}."
            answer = self._refused(403, "insufficient_scope", about, (needed,))
        else:
            await self._application(scope, receive, send)
            return
        await answer(scope, receive, send)

    def _refused(self, status: int, error: str, about: str, scopes: "Collection[str]") -> Response:
        parts = [f'error="{error}"', f'error_description="{about}"', f'scope="{" ".join(scopes)}"']
        if self._metadata_url is not None:
            parts.append(f'resource_metadata="{self._metadata_url}"')
        return refusal(status, about, www_authenticate=f"Bearer {', '.join(parts)}")


def _not_now(_connection: "HTTPConnection", error: "AuthenticationError") -> Response:
    assert isinstance(error, NotNowError)
    return refusal(503, f"{error} Try again.", retry_seconds=RETRY_SECONDS)
