"""What would be sent of a picture, and what is said of one that is refused, without a process that decodes."""

import pytest

from kolors_mcp.errors import PictureRefusedError
from kolors_mcp.images.pictures import Pictures
from tests.support.images_support import InProcess, b64
from tests.support.one_loop import run


def prepared(data: bytes) -> bytes:
    """The bytes that would be sent, or a refusal."""

    async def attempt() -> bytes:
        return b"".join((await Pictures(folders=[], decoder=InProcess()).prepare(b64(data), "human_image")).blocks())

    return run(attempt)


def refusal_of(data: bytes) -> str:
    with pytest.raises(PictureRefusedError) as refusal:
        prepared(data)
    return str(refusal.value)
