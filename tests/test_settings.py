"""What the environment may say, what it means, and what is said about a value that cannot be used."""

import os
import re
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from pydantic import SecretStr, ValidationError

from kolors_mcp.errors import NotConfiguredError
from kolors_mcp.folders import default_folders
from kolors_mcp.images import limits
from kolors_mcp.settings import DEFAULT_API_BASE, Credentials, Settings

if TYPE_CHECKING:
    from collections.abc import Mapping

SECRET = "s3cr3t-4f1b9c"
HOME = Path("~").expanduser()

MEANINGS: list[tuple[dict[str, str], str, object]] = [
    ({}, "api_base", "https://api-singapore.klingai.com"),
    ({"KLING_API_BASE": "  \t "}, "api_base", DEFAULT_API_BASE),
    ({"KLING_API_BASE": " https://api-beijing.klingai.com/ "}, "api_base", "https://api-beijing.klingai.com"),
    ({"KLING_API_BASE": "HTTPS://API.Kling.Example:8443"}, "api_base", "https://api.kling.example:8443"),
    ({"KLING_API_BASE": "http://127.0.0.1:8787"}, "api_base", "http://127.0.0.1:8787"),
    ({"KLING_API_BASE": "http://[::1]:8787"}, "api_base", "http://[::1]:8787"),
    ({}, "sandbox", False),
    *(({"KOLORS_SANDBOX": word}, "sandbox", True) for word in ("1", " 1\n", "true", "Yes", "ON")),
    *(({"KOLORS_SANDBOX": word}, "sandbox", False) for word in ("", " ", "0", "false", "No", "OFF")),
    ({}, "model", None),
    ({"KOLORS_MODEL": " kolors-virtual-try-on-v1-5 "}, "model", "kolors-virtual-try-on-v1-5"),
    ({"KOLORS_MODEL": "kolors-virtual-try-on-v1"}, "model", "kolors-virtual-try-on-v1"),
    ({"KOLORS_IMAGE_DIRS": "/a"}, "image_dirs", (Path("/a"),)),
    ({"KOLORS_IMAGE_DIRS": os.pathsep.join(("/a", " ~/b ", "", "/c/../d"))}, "image_dirs",
     (Path("/a"), HOME / "b", Path("/d"))),
    ({"KOLORS_IMAGE_DIRS": os.pathsep}, "image_dirs", ()),
    ({"KOLORS_IMAGE_DIRS": os.pathsep.join(("/a", "default", "/a"))}, "image_dirs", (Path("/a"), *default_folders({}))),
    ({}, "allowed_hosts", frozenset[str]()),
    ({"KOLORS_ALLOWED_HOSTS": " Shop.Local , ,10.0.0.5:8443,"}, "allowed_hosts", {"shop.local", "10.0.0.5:8443"}),
    ({}, "sent_side", limits.SENT_SIDE),
    ({"KOLORS_SENT_SIDE": " 1024 "}, "sent_side", 1024),
    ({"KOLORS_SENT_SIDE": "8000"}, "sent_side", 8000),
    ({"KOLORS_SENT_SIDE": "Original"}, "sent_side", "original"),
    ({}, "save_dir", None),
    ({"KOLORS_SAVE_DIR": " ~/try-ons "}, "save_dir", HOME / "try-ons"),
    ({"KOLORS_SAVE_DIR": "kept"}, "save_dir", Path.cwd() / "kept"),
    ({}, "ledger", None),
    ({"KOLORS_LEDGER": " sqlite:////var/lib/kolors/ledger.db "}, "ledger", "sqlite:////var/lib/kolors/ledger.db"),
    ({}, "daily_limit", None),
    ({"KOLORS_DAILY_LIMIT": " 25 "}, "daily_limit", 25),
    ({}, "log_level", "WARNING"),
    ({"KOLORS_LOG_LEVEL": "debug"}, "log_level", "DEBUG"),
]  # fmt: skip

REFUSED: list[tuple[str, str, str]] = [
    *(
        ("KOLORS_IMAGE_DIRS", value, "which is no absolute path. Write it from the root, or from ~")
        for value in ("$HOME/Pictures", f"/a{os.pathsep}${{userHome}}/b", "Pictures", "./x", "~nobody-of-this-name/x")
    ),
    *(
        ("KLING_API_BASE", value, "Give scheme and host, without a path")
        for value in (
            "api.klingai.com",
            "ftp://api.klingai.com",
            "https://",
            "https://api.klingai.com/v1",
            "https://api.klingai.com?x=1",
            "https://api.klingai.com#x",
            "https://user@api.klingai.com",
            "https://api.klingai.com:0",
            "https://api.klingai.com:99999",
            "https://api.klingai.com:http",
            "https://[::1",
            "https://api klingai.com",
            "https://api.klingai.com\\@elsewhere.example",
        )
    ),
    ("KOLORS_SANDBOX", "maybe", 'is "maybe"; it takes 1 or 0'),
    *(
        ("KOLORS_SENT_SIDE", value, "it takes a whole number of pixels from 1024 to 8000, or the word original")
        for value in ("1023", "8001", "0", "-2048", "2048.0", "2048px", "2 048", "٢٠٤٨", "originals", "9" * 5000)
    ),
    ("KOLORS_MODEL", "kolors-virtual-try-on-v1.5", "it takes kolors-virtual-try-on-v1 or kolors-virtual-try-on-v1-5"),
    ("KOLORS_LOG_LEVEL", "chatty", "it takes DEBUG, INFO, WARNING, ERROR, CRITICAL"),
    *(
        ("KOLORS_DAILY_LIMIT", value, "it takes a whole number above 0")
        for value in ("0", "-1", "1.5", "ten", "٣", "9" * 5000)
    ),
]

KINDS: list[tuple[dict[str, str], dict[str, str] | None]] = [
    ({}, None),
    ({"KLING_API_KEY": " ", "KLING_ACCESS_KEY": "", "KLING_SECRET_KEY": "\n"}, None),
    ({"KLING_API_KEY": f" {SECRET}\n"}, {"api_key": SECRET}),
    ({"KLING_ACCESS_KEY": "ak", "KLING_SECRET_KEY": f"{SECRET} "}, {"access_key": "ak", "secret_key": SECRET}),
    ({"KLING_API_KEY": SECRET, "KLING_ACCESS_KEY": "ak", "KLING_SECRET_KEY": "sk"}, {"api_key": SECRET}),
    ({"KLING_API_KEY": SECRET, "KLING_ACCESS_KEY": "ak"}, {"api_key": SECRET}),
]

UNUSABLE: list[tuple[dict[str, str], str]] = [
    ({"KLING_ACCESS_KEY": SECRET}, "KLING_SECRET_KEY is not set, but its other half is"),
    ({"KLING_SECRET_KEY": SECRET, "KLING_ACCESS_KEY": " "}, "KLING_ACCESS_KEY is not set, but its other half is"),
    *(
        ({"KLING_API_KEY": value}, "KLING_API_KEY has a blank or a character inside that no key has")
        for value in (f"Bearer {SECRET}", f"{SECRET}\u200bx", f"{SECRET}\n{SECRET}", f"{SECRET}é")
    ),
    ({"KLING_ACCESS_KEY": "ak", "KLING_SECRET_KEY": f"{SECRET} {SECRET}"}, "KLING_SECRET_KEY has a blank"),
]


@pytest.mark.parametrize(("environment", "field", "value"), MEANINGS)
def test_a_variable_means_what_the_table_says(environment: dict[str, str], field: str, value: object) -> None:
    assert getattr(Settings.from_env(environment), field) == value


@pytest.mark.parametrize(("name", "value", "text"), REFUSED)
def test_a_bad_value_is_refused_by_the_variables_name_with_what_it_takes(name: str, value: str, text: str) -> None:
    with pytest.raises(NotConfiguredError, match=re.escape(text)) as refusal:
        Settings.from_env({name: value})
    assert str(refusal.value).startswith(name)
    assert len(str(refusal.value)) < 400


@pytest.mark.parametrize(("environment", "expected"), KINDS)
def test_credentials_are_a_key_or_a_pair_and_the_key_wins(
    environment: dict[str, str], expected: dict[str, str] | None
) -> None:
    credentials = Credentials.from_env(environment)
    shown = None if credentials is None else _revealed(credentials)
    assert shown == expected


@pytest.mark.parametrize(("environment", "text"), UNUSABLE)
def test_half_a_pair_and_a_mangled_key_are_named_without_being_shown(environment: dict[str, str], text: str) -> None:
    with pytest.raises(NotConfiguredError, match=re.escape(text)) as refusal:
        Credentials.from_env(environment)
    assert SECRET not in str(refusal.value)
    assert SECRET not in repr(refusal.value)


@pytest.mark.parametrize("name", ["KLING_API_KEY", "pair"])
def test_no_secret_shows_in_what_is_printed_of_credentials(name: str) -> None:
    environment = {name: SECRET} if name != "pair" else {"KLING_ACCESS_KEY": SECRET, "KLING_SECRET_KEY": SECRET}
    credentials = Credentials.from_env(environment)
    assert credentials is not None
    for shown in (repr(credentials), str(credentials), f"{credentials.model_dump()}", credentials.model_dump_json()):
        assert SECRET not in shown


def test_no_password_shows_in_what_is_printed_of_the_settings() -> None:
    settings = Settings.from_env({"KOLORS_LEDGER": f"postgresql://kolors:{SECRET}@db.example/kolors"})
    assert SECRET not in repr(settings)
    assert SECRET not in str(settings)


def test_an_address_with_a_password_in_it_is_refused_without_showing_it() -> None:
    with pytest.raises(NotConfiguredError) as refusal:
        Settings.from_env({"KLING_API_BASE": f"https://user:{SECRET}@api.klingai.com"})
    assert SECRET not in str(refusal.value)


def test_settings_and_credentials_cannot_be_changed_after_they_were_read() -> None:
    settings, credentials = Settings.from_env({}), Credentials.from_env({"KLING_API_KEY": SECRET})
    assert credentials is not None
    with pytest.raises(ValidationError, match="frozen"):
        settings.sandbox = True  # pyright: ignore[reportAttributeAccessIssue]  # that it is refused is the point
    with pytest.raises(ValidationError, match="frozen"):
        credentials.api_key = None  # pyright: ignore[reportAttributeAccessIssue]  # the same


def test_without_folders_a_desktops_usual_ones_may_be_read() -> None:
    named = [HOME / name for name in ("Pictures", "Downloads", "Desktop", "Documents")]
    found = Settings.from_env({}).image_dirs
    assert found[:4] == tuple(named)
    assert found[-2:] == (Path.cwd(), Path(tempfile.gettempdir()))
    assert Settings.from_env({"KOLORS_IMAGE_DIRS": "  "}).image_dirs == default_folders({})


def test_only_the_mapping_that_is_given_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KOLORS_SANDBOX", "1")
    monkeypatch.setenv("KLING_API_KEY", SECRET)
    nothing: Mapping[str, str] = {}
    assert not Settings.from_env(nothing).sandbox
    assert Credentials.from_env(nothing) is None


def _revealed(credentials: Credentials) -> dict[str, str]:
    return {name: value.get_secret_value() for name, value in credentials if isinstance(value, SecretStr)}
