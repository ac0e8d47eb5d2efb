"""What a model must have been shown by a host or a framework, whatever either makes of a tool's result."""

import base64
import io
import re
import traceback
from collections.abc import Callable, Mapping

from PIL import Image

from tests.support.model_protocols import Seen

Check = Callable[[Seen], None]
LINK = r"http://127\.0\.0\.1:[0-9]+/results/[^\s\"\\]+\?signature=[0-9a-f]+&expires=[0-9]+"


def failures_of(seen: Seen, checks: Mapping[str, Check]) -> dict[str, str]:
    """Return why checks fail, by their names."""
    failures: dict[str, str] = {}
    for name, check in checks.items():
        try:
            check(seen)
        except (AssertionError, IndexError, ValueError, OSError):
            failures[name] = traceback.format_exc(limit=1)
    return failures


def the_tools_are_offered(seen: Seen) -> None:
    """All four, by whatever names they are given."""
    for name in ("create_try_on", "get_try_on", "list_try_ons", "view_try_on"):
        assert any(tool.endswith(name) for tool in seen.tools), (name, seen.tools)


def the_create_says_status_ids_and_next_step(seen: Seen) -> None:
    """What is needed to go on."""
    text = seen.results[0]
    assert re.search(r"submitted|processing", text), text
    assert re.search(r"k-[0-9a-f]{8,}", text), text
    assert "get_try_on" in text, text
    assert re.search(r"[0-9]{6,}", text), text


def the_get_says_status_link_and_next_step(seen: Seen) -> None:
    """The link with its query, since that is its signature."""
    text = seen.results[1]
    assert "succeed" in text, text
    assert re.search(LINK, text), text
    assert "view_try_on" in text, text
    assert re.search(r"tryon://[0-9]+/images/0", text), text


def the_view_shows_the_picture_and_the_link(seen: Seen) -> None:
    """The picture itself, person and result beside each other, and the full link."""
    # A conversation is sent again with each question, so the same picture is seen again.
    assert len(set(seen.pictures)) == 1, len(seen.pictures)
    image = Image.open(io.BytesIO(seen.pictures[0]))
    assert max(image.size) <= 768, image.size
    assert image.width > image.height, image.size
    text = seen.results[2]
    assert "the person's photo" in text, text
    assert re.search(LINK, text), text


def the_view_has_the_link(seen: Seen) -> None:
    """The full link, which is all that a model gets where pictures of tools are left out."""
    text = seen.results[2]
    assert "Picture 0 of try-on" in text, text[:1000]
    assert re.search(LINK, text), text[:1000]


def the_view_shows_the_result_and_the_link(seen: Seen) -> None:
    """The picture itself, and the full link."""
    assert len(set(seen.pictures)) == 1, len(seen.pictures)
    assert Image.open(io.BytesIO(seen.pictures[0])).format == "JPEG"
    the_view_has_the_link(seen)


def the_view_has_the_picture_as_text_and_the_link(seen: Seen) -> None:
    """The whole picture in base64 among the text, by a framework that writes down what it gets, and the full link."""
    [found] = re.findall(r"/9j/[A-Za-z0-9+/=]{1000,}", seen.results[2])
    assert Image.open(io.BytesIO(base64.b64decode(found))).format == "JPEG"
    the_view_has_the_link(seen)


def the_list_has_the_try_on_with_its_link(seen: Seen) -> None:
    """The one that was made, in a row."""
    text = seen.results[3]
    [link] = set(re.findall(LINK, seen.results[1]))
    assert link in text, text
    assert "succeed" in text, text


def the_error_says_that_it_is_one(seen: Seen) -> None:
    """And about which id."""
    text = seen.results[4]
    assert "Error: " in text, text
    assert "Kling knows no try-on" in text, text
