"""Pictures are taken out of a message before its JSON is read, and nothing but the time that it takes tells so."""

import base64
import json
from collections.abc import Callable
from random import Random
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mcp.shared.message import SessionMessage
from mcp_types.jsonrpc import jsonrpc_message_adapter

from kolors_mcp.pictures import InlinePicture
from kolors_mcp.server.lifting import MAX_REST_BYTES, MIN_CHARACTERS, lift
from kolors_mcp.server.messages import message_of

SIZES = (MIN_CHARACTERS // 4 * 3 - 3, MIN_CHARACTERS // 4 * 3, 20_000, 20_001, 20_002)


def encoded(size: int) -> str:
    return base64.b64encode(Random(size).randbytes(size)).decode()  # noqa: S311  (a seed, not a secret)


LONG = encoded(20_000)
UNUSUAL = LONG[:-2] + chr(ord(LONG[-2]) + 1) + "="
"""Another way to write the same bytes: the bits that padding leaves over are not all zero."""
pictures = st.sampled_from(SIZES).map(encoded)
odd = st.sampled_from(
    (
        UNUSUAL,
        LONG + "=",
        LONG[:-1] + "B",
        LONG[:10_000] + "\n" + LONG[10_000:],
        LONG[:10_000] + "é" + LONG[10_000:],
        LONG[:10_000] + '"' + LONG[10_000:],
        LONG.replace("+", "-").replace("/", "_"),
        "A" * 20_001,
        "1" * 20_000,
        "[" + LONG + "]",
        "data:image/png," + LONG,
        "data:image/png;base64,%2B" + LONG,
        "data:image/png;name=a b;base64," + LONG,
        "DATA:image/png;base64," + LONG,
    )
)
given_texts = pictures | pictures.map("data:image/jpeg;base64,{}".format) | odd | st.just("https://shop.example/a.jpg")
values = given_texts | st.lists(given_texts, max_size=2) | st.fixed_dictionaries({"url": given_texts}) | st.none()
arguments: st.SearchStrategy[dict[str, Any]] = st.dictionaries(
    st.sampled_from(("human_image", "cloth_image", "lower_cloth_image", "label", "image", LONG)), values, max_size=4
)
messages: st.SearchStrategy[Any] = st.fixed_dictionaries(
    {
        "jsonrpc": st.just("2.0"),
        "id": st.integers(0, 9) | pictures,
        "method": st.sampled_from(("tools/call", "tools/call", "tools/call", "prompts/get")) | pictures,
        "params": st.fixed_dictionaries(
            {
                "name": st.sampled_from(("create_try_on", "create_try_on", "create_try_on", "view_try_on")),
                "arguments": arguments,
            },
            optional={"_meta": st.fixed_dictionaries({"a": given_texts}), "requestState": given_texts},
        ),
    }
)


def as_it_is(message: str) -> str:
    return message


ways: tuple[Callable[[str], str], ...] = (
    as_it_is,
    lambda message: message.replace("/", "\\/"),
    lambda message: message.replace("A", "\\u0041", 1),
    lambda message: message.replace('"cloth_image"', '"human_image"'),
    lambda message: message.replace('"arguments"', '"params": {}, "arguments"'),
    lambda message: message.replace('{"', '{"params": 1, "', 1),
    lambda message: "[" + message + "]",
    lambda message: message[:-1],
    lambda message: "\ufeff" + message,
)


def outcome(line: bytes) -> Any:
    """What is handed on of a line, with what was taken out as the text that it was."""
    read = message_of(line)
    if not isinstance(read, SessionMessage):
        return read
    message = read.message.model_dump()
    params = cast("dict[str, Any]", message.get("params") or {})
    if isinstance(params.get("arguments"), dict):
        inside = cast("dict[str, Any]", params["arguments"])
        for name, value in inside.items():
            inside[name] = value.text if isinstance(value, InlinePicture) else value
    return message


def read_as_it_is(line: bytes) -> Any:
    try:
        return jsonrpc_message_adapter.validate_json(line, by_name=False).model_dump()
    except ValueError:
        return None


@given(
    message=messages,
    indent=st.sampled_from((None, 1)),
    ascii_only=st.booleans(),
    way=st.sampled_from(ways),
    encoding=st.sampled_from(("utf-8", "utf-8", "utf-8", "utf-16")),
)
def test_a_message_says_the_same_whether_its_pictures_are_taken_out_or_not(
    message: Any, indent: int | None, ascii_only: bool, way: Callable[[str], str], encoding: str
) -> None:
    line = way(json.dumps(message, indent=indent, ensure_ascii=ascii_only)).encode(encoding)
    expected = read_as_it_is(line)
    found = outcome(line)
    assert found == expected if expected is not None else not isinstance(found, dict)


def create(**given: Any) -> bytes:
    params = {"name": "create_try_on", "arguments": given}
    return json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}).encode()


@pytest.mark.parametrize("head", ["", "data:image/png;base64,"])
@pytest.mark.parametrize("size", SIZES[1:])
def test_what_is_written_in_the_usual_way_is_taken_out(head: str, size: int) -> None:
    text = head + encoded(size)
    lifted = lift(create(human_image=text, cloth_image="https://shop.example/a.jpg"))
    assert lifted is not None
    assert len(lifted.rest) < 300
    assert [(one.head, one.text) for one in lifted.pictures.values()] == [(head, text)]


def test_what_says_a_thing_twice_or_is_written_in_another_way_stays_as_it_is() -> None:
    assert base64.b64decode(UNUSUAL) == base64.b64decode(LONG)
    twice = create(human_image=LONG).replace(b'"name"', b'"name":"create_try_on","name"')
    assert json.loads(twice) == json.loads(create(human_image=LONG))
    for line in (create(human_image=UNUSUAL), twice, create(human_image=LONG).replace(b"/", b"\\/")):
        assert lift(line) is None


@pytest.mark.parametrize("place", ["label", "image", "human_image of another tool", "inside", "beside much else"])
def test_a_picture_in_another_place_stays_there(place: str) -> None:
    lines = {
        "human_image of another tool": create(human_image=LONG).replace(b"create_try_on", b"check_photo"),
        "inside": create(human_image={"url": LONG}, cloth_image=LONG),
        "beside much else": create(human_image=LONG, label="a " * (MAX_REST_BYTES // 2)),
    }
    assert lift(lines.get(place, create(**{place: LONG, "human_image": LONG}))) is None


def test_a_word_means_a_picture_in_its_own_message_alone() -> None:
    mine = lift(create(human_image=LONG))
    assert mine is not None
    (word,) = mine.pictures
    other = lift(create(human_image=word, cloth_image=LONG))
    assert other is not None
    put_back = other.put_back({"human_image": word, "cloth_image": next(iter(other.pictures))})
    assert put_back["human_image"] == word
    assert put_back["cloth_image"].text == LONG
    assert message_arguments(create(human_image=word)) == {"human_image": word}
    # So words are not the same twice, and of one that is short nothing is taken out.
    again = lift(create(human_image=LONG))
    assert again is not None
    assert not again.pictures.keys() & mine.pictures.keys()


def message_arguments(line: bytes) -> Any:
    return outcome(line)["params"]["arguments"]
