"""What is said about a link in a network that exists only in the test."""

import ssl
from functools import partial

import pytest

from kolors_mcp.errors import PictureRefusedError
from kolors_mcp.images import pictures as door
from kolors_mcp.images.pictures import Pictures
from kolors_mcp.images.sources.network import PinnedBackend
from tests.support.network import Network
from tests.support.one_loop import run

TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""Made once, since reading certificates takes longer than all else here."""


def refusal_of(network: Network, link: str, *, guard: bool = True) -> str | None:
    """What is said about a link; none if it was fetched."""

    async def attempt() -> str | None:
        pictures = Pictures(folders=[], resolver=network.resolver, connect=network.connect, ssl_context=TLS)
        try:
            await pictures.prepare(link, "human_image")
        except PictureRefusedError as error:
            return str(error)
        finally:
            await pictures.aclose()
        return None

    with pytest.MonkeyPatch.context() as patch:
        if not guard:
            patch.setattr(door, "PinnedBackend", partial(PinnedBackend, judge=lambda _: True))
        return run(attempt)
