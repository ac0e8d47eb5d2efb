"""Callbacks: which addresses there are, and which signed messages are Kling's."""

import pytest
from pydantic import SecretStr
from starlette.datastructures import Headers

from kolors_mcp.server.http.callbacks import MAX_AGE_SECONDS, CallbackAddresses, is_signed
from kolors_mcp.settings import Credentials

# The vendor's own example of a signed call.
SECRET = "whsec_dGVzdHNlY3JldHRlc3RzZWNyZXR0ZXN0c2VjcmV0MTI="
MESSAGE_ID, TIMESTAMP = "9876543210", "1781080794"
BODY = b'{"id":"1234567890","status":"succeeded","message":"","create_time":1781080778802,"update_time":1781080794151}'
SIGNATURE = "v1,UsKlJP00XoQyOn410NM9xv34sP+Gl0jnOO9Lcpr7NJ4="
SENT_AT = float(TIMESTAMP)

OTHER_SECRET = "whsec_b3RoZXJzZWNyZXRvdGhlcnNlY3JldG90aGVyc2VjcmU="


def headers_of(**changed: str | None) -> Headers:
    named: dict[str, str | None] = {"id": MESSAGE_ID, "timestamp": TIMESTAMP, "signature": SIGNATURE, **changed}
    return Headers({f"webhook-{name}": value for name, value in named.items() if value is not None})


MESSAGES: list[tuple[str, dict[str, str | None], bytes, float, bool]] = [
    ("as the vendor has it", {}, BODY, SENT_AT, True),
    ("among other signatures", {"signature": f"v1,AAAA v2,{SIGNATURE[3:]} {SIGNATURE} v1,"}, BODY, SENT_AT, True),
    ("five minutes old", {}, BODY, SENT_AT + MAX_AGE_SECONDS, True),
    ("by a clock that is ahead", {}, BODY, SENT_AT - MAX_AGE_SECONDS, True),
    ("older", {}, BODY, SENT_AT + MAX_AGE_SECONDS + 1, False),
    ("from the future", {}, BODY, SENT_AT - MAX_AGE_SECONDS - 1, False),
    ("another body", {}, BODY + b" ", SENT_AT, False),
    ("no body", {}, b"", SENT_AT, False),
    ("another id", {"id": "9876543211"}, BODY, SENT_AT, False),
    ("another time", {"timestamp": "1781080795"}, BODY, SENT_AT, False),
    ("no id", {"id": None}, BODY, SENT_AT, False),
    ("no time", {"timestamp": None}, BODY, SENT_AT, False),
    ("no signature", {"signature": None}, BODY, SENT_AT, False),
    ("a blank signature", {"signature": ""}, BODY, SENT_AT, False),
    ("the wrong version", {"signature": "v2" + SIGNATURE[2:]}, BODY, SENT_AT, False),
    ("no version", {"signature": SIGNATURE[3:]}, BODY, SENT_AT, False),
    ("half a signature", {"signature": SIGNATURE[:20]}, BODY, SENT_AT, False),
    ("no base64", {"signature": "v1,%%%%"}, BODY, SENT_AT, False),
    ("letters of other scripts", {"signature": "v1,\u00e4\u00f6", "id": "\u00e4"}, BODY, SENT_AT, False),
    ("a time that is no number", {"timestamp": "1781080794.0"}, BODY, SENT_AT, False),
    ("a time in other digits", {"timestamp": "\u00b2"}, BODY, SENT_AT, False),
    ("a time of thousands of digits", {"timestamp": "9" * 5000}, BODY, SENT_AT, False),
]


@pytest.mark.parametrize(
    ("changed", "body", "now", "is_klings"), [row[1:] for row in MESSAGES], ids=[row[0] for row in MESSAGES]
)
def test_only_what_is_signed_with_the_secret_and_fresh_is_klings(
    changed: dict[str, str | None], body: bytes, now: float, is_klings: bool
) -> None:
    assert is_signed(SECRET, headers_of(**changed), body, now) is is_klings


def test_what_is_signed_with_another_secret_is_not_klings() -> None:
    assert not is_signed(OTHER_SECRET, headers_of(), BODY, SENT_AT)


def test_replicas_with_the_same_keys_know_each_others_addresses_and_no_others() -> None:
    def replica(secret: str) -> CallbackAddresses:
        return CallbackAddresses("https://shop.example", lambda: Credentials(api_key=SecretStr(secret)))

    address = replica("kling-key-of-the-shop").address_of("k-one")
    assert address is not None
    origin, reference, mark = address.rsplit("/", 2)
    assert (origin, reference) == ("https://shop.example/callbacks", "k-one")
    assert "kling-key" not in address
    assert replica("kling-key-of-the-shop").knows("k-one", mark)
    assert not replica("kling-key-of-the-shop").knows("k-two", mark)
    assert not replica("kling-key-of-the-shop").knows("k-one", mark[:-1] + ("A" if mark[-1] != "A" else "B"))
    assert not replica("kling-key-of-the-shop").knows("k-one", "")
    assert not replica("other-key").knows("k-one", mark)


def test_without_keys_there_is_no_address() -> None:
    addresses = CallbackAddresses("https://shop.example", lambda: None)
    assert addresses.address_of("k-one") is None
    assert not addresses.knows("k-one", "")
