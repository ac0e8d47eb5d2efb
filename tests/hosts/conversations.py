"""What users ask of real hosts: the calls that a model makes for it, what it must be shown, and what that costs."""

import io
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from kolors_mcp.sandbox.samples import sample
from tests.hosts import own_photos
from tests.support.making import jpeg
from tests.support.mock_model import Step
from tests.support.model_checks import (
    LINK,
    Check,
    the_create_says_status_ids_and_next_step,
    the_get_says_status_link_and_next_step,
    the_tools_are_offered,
    the_view_shows_the_picture_and_the_link,
)
from tests.support.model_protocols import Json, Seen

GARMENTS = {"white shirt": "white", "navy shirt": "navy", "red shirt": "crimson", "jacket": "olive"}
"""The photos in the user's Pictures, and the colour of each; with them lie the person and a dress."""
SHIRTS = ("white shirt", "navy shirt", "red shirt")


@dataclass(frozen=True)
class Places:
    """Where the user's photos are."""

    pasted: Path
    """The one that was pasted into the chat."""
    pictures: Path

    def photo(self, name: str) -> str:
        """Return the path of one among the user's Pictures."""
        return str(self.pictures / f"{name}.jpg")

    def wear(self, garment: str, **more: str) -> Json:
        """Return the arguments of a create that waits for its end."""
        pictures = {"human_image": self.photo("me"), "cloth_image": self.photo(garment)}
        return {**pictures, "wait_seconds": 60, **more}

    def fill(self) -> None:
        """Put the photos there."""
        photos = {name: jpeg(colour=colour) for name, colour in GARMENTS.items()}
        photos |= {"me": sample("person").read_bytes(), "dress": sample("dress").read_bytes()}
        for path in (self.pasted, self.pictures / "any.jpg"):
            path.parent.mkdir(parents=True, exist_ok=True)
        self.pasted.write_bytes(photos["me"])
        for name, content in photos.items():
            (self.pictures / f"{name}.jpg").write_bytes(content)


@dataclass(frozen=True)
class Conversation:
    """One thing that a user asks for, and how it goes right."""

    asked: str
    script: Callable[[Places], list[Step]]
    """As few calls as it needs, each answered in the order in which it was made."""
    checks: tuple[Check, ...]
    paid: int = 1
    """Try-ons that Kling makes for it."""
    saved: str | None = None
    """The one file that it leaves below the user's Pictures."""
    last_words: Callable[[Seen], str] = lambda _: "Done."
    """What the model says at the end, and the user has to read."""


def show_the_pasted_photo(places: Places) -> list[Step]:
    """Dress the person of the pasted photo, and look."""
    return [
        Step("create_try_on", {"human_image": str(places.pasted), "cloth_image": str(sample("upper"))}),
        Step("get_try_on", {"task_id": "{task_id}", "wait_seconds": 30}),
        Step("view_try_on", {"task_id": "{task_id}", "compare": True}),
    ]


def try_three_shirts(places: Places) -> list[Step]:
    """Ask for all three in one message, then for one picture of them."""
    return [
        *(Step("create_try_on", places.wear(shirt), beside=shirt != SHIRTS[0]) for shirt in SHIRTS),
        Step("compare_try_ons", {"task_ids": list(SHIRTS)}),
    ]


def each_shirt_is_worn_and_named(seen: Seen) -> None:
    """By its file, although nobody gave it a label; in the order in which they were asked for."""
    for text, shirt in zip(seen.results, SHIRTS, strict=False):
        assert "succeed" in text, text
        assert shirt in text, text


def the_sheet_shows_all_three_and_says_which_is_which(seen: Seen) -> None:
    """One picture, the person first, and a numbered line for each with the same whole link as its own answer."""
    [picture] = set(seen.pictures)
    sheet = Image.open(io.BytesIO(picture))
    assert sheet.format == "JPEG", sheet.format
    assert "3 try-ons on one sheet" in seen.results[3], seen.results[3]
    assert "first the person" in seen.results[3], seen.results[3]
    for number, shirt in enumerate(SHIRTS, 1):
        line = re.search(rf"\b{number}\. Try-on [0-9]+ [^\n]*?{shirt}[^\n]*?({LINK})", seen.results[3])
        assert line is not None, seen.results[3]
        assert line[1] in seen.results[number - 1], (line[1], seen.results[number - 1])


def put_a_jacket_over_the_dress(places: Places) -> list[Step]:
    """Let the dress finish, and give its id as the person."""
    return [
        Step("create_try_on", places.wear("dress")),
        Step("create_try_on", places.wear("jacket", human_image="{task_id}")),
    ]


def the_dress_is_finished_before_the_jacket(seen: Seen) -> None:
    """So its id can be given on."""
    assert "succeed" in seen.results[0], seen.results[0]
    assert re.search(r"tryon://[0-9]+/images/0", seen.results[0]), seen.results[0]


def the_jacket_goes_over_the_result_of_the_dress(seen: Seen) -> None:
    """As a try-on of its own, which says on whom it is worn."""
    [dress, jacket] = [re.findall(r"tryon://([0-9]+)/images/0", text)[0] for text in seen.results]
    assert dress != jacket
    assert "succeed" in seen.results[1], seen.results[1]
    assert "human_image: the finished picture" in seen.results[1], seen.results[1]


def save_it_by_a_name(places: Places) -> list[Step]:
    """Wear it, then keep it as the user says."""
    return [
        Step("create_try_on", places.wear("dress")),
        Step("save_try_on", {"task_id": "{task_id}", "name": "red-dress"}),
    ]


def the_saved_picture_has_the_name_and_its_place_is_told(seen: Seen) -> None:
    """Whole, as a path that the user finds."""
    assert re.search(r"/Pictures/[^/\n]+/red-dress\.png", seen.results[1]), seen.results[1]


CONVERSATIONS = (
    Conversation(
        "Show me how this garment looks on this person.",
        show_the_pasted_photo,
        (
            the_tools_are_offered,
            the_create_says_status_ids_and_next_step,
            the_get_says_status_link_and_next_step,
            the_view_shows_the_picture_and_the_link,
        ),
    ),
    Conversation("Try this on me; the photo is on my phone.", lambda _: own_photos.script_without(), own_photos.CHECKS),
    Conversation(
        "Try these three shirts on me.",
        try_three_shirts,
        (each_shirt_is_worn_and_named, the_sheet_shows_all_three_and_says_which_is_which),
        paid=3,
    ),
    Conversation(
        "Try the dress on me, with the jacket over it.",
        put_a_jacket_over_the_dress,
        (the_dress_is_finished_before_the_jacket, the_jacket_goes_over_the_result_of_the_dress),
        paid=2,
    ),
    Conversation(
        "Try the dress on me, and save it as red-dress.",
        save_it_by_a_name,
        (the_saved_picture_has_the_name_and_its_place_is_told,),
        saved="red-dress.png",
    ),
)
