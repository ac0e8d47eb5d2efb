"""What the environment may say of the service over HTTP, and what is said about a value that cannot be used."""

import re
from pathlib import Path

import pytest
from pydantic import SecretStr

from kolors_mcp.errors import NotConfiguredError
from kolors_mcp.service_settings import ServiceSettings

SECRET = "whsec_c2VjcmV0IG9mIHRoaXMgdGVzdA=="

MEANINGS: list[tuple[dict[str, str], str, object]] = [
    *(
        ({"KOLORS_PUBLIC_URL": value}, "public_url", meant)
        for value, meant in (
            ("", None),
            (" https://Try-On.Shop.Example/ ", "https://try-on.shop.example"),
            ("https://try-on.shop.example:443", "https://try-on.shop.example"),
            ("https://try-on.shop.example:8443", "https://try-on.shop.example:8443"),
            ("https://mode.köln.example", "https://mode.xn--kln-sna.example"),
            ("https://203.0.113.7", "https://203.0.113.7"),
            ("https://[2001:DB8:0::7]:8443", "https://[2001:db8::7]:8443"),
            ("http://127.0.0.1:8000", "http://127.0.0.1:8000"),
            ("http://localhost:80", "http://localhost"),
            ("http://[::1]:8000", "http://[::1]:8000"),
        )
    ),
    ({}, "tokens", None),
    ({"KOLORS_TOKENS": " /etc/kolors/tokens "}, "tokens", Path("/etc/kolors/tokens")),
    ({"KOLORS_TOKENS": "tokens"}, "tokens", Path.cwd() / "tokens"),
    ({"KOLORS_TOKENS": "~/tokens"}, "tokens", Path("~/tokens").expanduser()),
    ({}, "issuer", None),
    *(
        ({"KOLORS_ISSUER": value}, "issuer", value)
        for value in (
            "https://login.shop.example",
            "https://login.shop.example/",
            "https://login.shop.example/realms/shop",
            "http://localhost:9000",
        )
    ),
    ({}, "audience", None),
    ({"KOLORS_AUDIENCE": " api://try-on "}, "audience", "api://try-on"),
    ({}, "slots", 5),
    ({"KOLORS_SLOTS": "20"}, "slots", 20),
    ({}, "calls_per_minute", 1200),
    ({"KOLORS_CALLS_PER_MINUTE": "60"}, "calls_per_minute", 60),
    ({}, "max_waiting", 100),
    ({"KOLORS_MAX_WAITING": "7"}, "max_waiting", 7),
    ({}, "max_wait_seconds", 600),
    ({"KOLORS_MAX_WAIT_SECONDS": "60"}, "max_wait_seconds", 60),
    ({}, "shelf", None),
    ({"KOLORS_SHELF": "/var/lib/kolors"}, "shelf", "/var/lib/kolors"),
    ({"KOLORS_SHELF": "shelf"}, "shelf", str(Path.cwd() / "shelf")),
    ({"KOLORS_SHELF": "S3://Bucket/try-ons"}, "shelf", "s3://Bucket/try-ons"),
    ({"KOLORS_SHELF": "az://container"}, "shelf", "az://container"),
    ({}, "callback_secret", None),
    ({"KOLORS_CALLBACK_SECRET": f" {SECRET}\n"}, "callback_secret", SecretStr(SECRET)),
    ({}, "authenticates", False),
    ({"KOLORS_TOKENS": "/t"}, "authenticates", True),
    ({"KOLORS_ISSUER": "https://login.shop.example"}, "authenticates", True),
]

REFUSED: list[tuple[str, str, str]] = [
    *(
        ("KOLORS_PUBLIC_URL", value, "Give scheme and host, without a path")
        for value in (
            "try-on.shop.example",
            "ftp://shop.example",
            "https://",
            "https://shop.example/mcp",
            "https://shop.example?x=1",
            "https://user@shop.example",
            "https://shop.example:0",
            "https://shop example",
        )
    ),
    ("KOLORS_PUBLIC_URL", "https://999.1.1.1", "has a host that cannot be one"),
    ("KOLORS_PUBLIC_URL", "http://try-on.shop.example", "Give an https:// address"),
    ("KOLORS_PUBLIC_URL", "http://0.0.0.0:8000", "Give an https:// address"),
    *(
        ("KOLORS_ISSUER", value, "exactly as its tokens name it")
        for value in (
            "login",
            "https://",
            "https://a.example?x=1",
            "https://a.example#x",
            "https://[::1",
            "https://u@a",
        )
    ),
    ("KOLORS_ISSUER", "http://login.shop.example", "Give an https:// address"),
    ("KOLORS_ISSUER", "ftp://login.shop.example", "Give an https:// address"),
    *(
        (name, value, "it takes a whole number above 0")
        for name in ("KOLORS_SLOTS", "KOLORS_CALLS_PER_MINUTE", "KOLORS_MAX_WAITING", "KOLORS_MAX_WAIT_SECONDS")
        for value in ("0", "-1", "1.5", "ten", "٣", "9" * 5000)
    ),
    *(
        ("KOLORS_SHELF", value, "takes a folder, or s3://BUCKET/PREFIX")
        for value in ("ftp://a/b", "s3://", "s3:///", "s3://key:secret@bucket", "file:///a")
    ),
    *(
        ("KOLORS_CALLBACK_SECRET", value, text)
        for value, text in (
            ("secret", "Copy it again"),
            ("whsec_", "Copy it again"),
            ("whsec_n%t", "Copy it again"),
            (f"x{SECRET}", "Copy it again"),
            ("whsec_a b", "has a blank"),
        )
    ),
]


@pytest.mark.parametrize(("environment", "field", "value"), MEANINGS)
def test_a_variable_of_the_service_means_what_the_table_says(
    environment: dict[str, str], field: str, value: object
) -> None:
    assert getattr(ServiceSettings.from_env(environment), field) == value


@pytest.mark.parametrize(("name", "value", "text"), REFUSED)
def test_a_bad_value_of_the_service_is_refused_by_the_variables_name(name: str, value: str, text: str) -> None:
    with pytest.raises(NotConfiguredError, match=re.escape(text)) as refusal:
        ServiceSettings.from_env({name: value})
    assert str(refusal.value).startswith(name)
    assert len(str(refusal.value)) < 400


def test_the_callback_secret_shows_in_nothing_that_is_printed() -> None:
    settings = ServiceSettings.from_env({"KOLORS_CALLBACK_SECRET": SECRET})
    with pytest.raises(NotConfiguredError) as refusal:
        ServiceSettings.from_env({"KOLORS_CALLBACK_SECRET": SECRET[3:]})
    for shown in (repr(settings), str(settings.model_dump()), settings.model_dump_json(), str(refusal.value)):
        assert SECRET[6:] not in shown
