"""Share links of drives give the file itself, or say how to get at it; any other link stays as it is."""

import pytest

from kolors_mcp.images.sources.shares import share_of
from tests.support.images_support import png
from tests.support.images_web import web
from tests.support.network import redirect, response

pytestmark = pytest.mark.anyio

GOOGLE = "https://drive.google.com/uc?export=download&id=1AbC-dEfGhIjKlMn_o"


@pytest.mark.parametrize(
    ("shared", "original"),
    [
        ("https://drive.google.com/file/d/1AbC-dEfGhIjKlMn_o/view?usp=sharing", GOOGLE),
        ("https://drive.google.com/file/u/1/d/1AbC-dEfGhIjKlMn_o/edit", GOOGLE),
        ("http://drive.google.com/open?id=1AbC-dEfGhIjKlMn_o&usp=drive_link", GOOGLE),
        ("https://docs.google.com/a/shop.example/file/d/1AbC-dEfGhIjKlMn_o", GOOGLE),
        (
            "https://drive.google.com/file/d/1AbC-dEfGhIjKlMn_o/view?resourcekey=0-aB",
            f"{GOOGLE}&resourcekey=0-aB",
        ),
        (
            "https://www.dropbox.com/scl/fi/a1b2/my%20dress.jpg?rlkey=x1&st=y&dl=0",
            "https://www.dropbox.com/scl/fi/a1b2/my%20dress.jpg?rlkey=x1&st=y&dl=1",
        ),
        ("https://www.dropbox.com/s/a1b2/dress.jpg", "https://www.dropbox.com/s/a1b2/dress.jpg?dl=1"),
        (
            "https://onedrive.live.com/?id=A%21106&resid=A%21106&authkey=%21Key&cid=a",
            "https://onedrive.live.com/download?resid=A%21106&authkey=%21Key",
        ),
        (
            "https://shop-my.sharepoint.com/:i:/g/personal/anna/EaBc?e=x1",
            "https://shop-my.sharepoint.com/:i:/g/personal/anna/EaBc?e=x1&download=1",
        ),
        ("https://github.com/o/r/blob/main/a/dress.png?raw=true", "https://github.com/o/r/raw/main/a/dress.png"),
        ("https://gitlab.com/o/r/-/blob/main/dress.png", "https://gitlab.com/o/r/-/raw/main/dress.png"),
        ("https://gitee.com/o/r/blob/master/dress.png", "https://gitee.com/o/r/raw/master/dress.png"),
        (
            "https://huggingface.co/spaces/o/r/blob/main/assets/human/001.png",
            "https://huggingface.co/spaces/o/r/resolve/main/assets/human/001.png",
        ),
        ("https://huggingface.co/o/r/blob/main/a.png", "https://huggingface.co/o/r/resolve/main/a.png"),
    ],
)
def test_a_share_link_stands_for_the_file_itself(shared: str, original: str) -> None:
    share = share_of(shared)
    assert share is not None
    assert share.original == original
    again = share_of(original)
    assert again is None or again.original in (None, original)


@pytest.mark.parametrize(
    "link",
    [
        "https://www.dropbox.com/scl/fo/a1b2/h?rlkey=x",
        "https://drive.google.com/drive/folders/1AbC-dEfGhIjKlMn_o",
        "https://1drv.ms/i/s!AkCh-QtrC8VfZl1k",
        "https://shop.sharepoint.com/:f:/s/team/EaBc",
        "https://share.icloud.com/photos/0a1b",
        "https://www.icloud.com/iclouddrive/0a1b#dress",
        "https://we.tl/t-0a1b",
        "https://app.box.com/s/0a1b",
        "https://mega.nz/file/0a1b#key",
    ],
)
async def test_a_share_link_that_leads_to_no_file_says_how_to_get_it(link: str) -> None:
    async with web() as site:
        said = await site.refused(link, host="")
        assert said.startswith(
            "cloth_image leads to a page that gives no picture without a browser. This is a share link"
        )
        assert said.endswith("or open it in a browser, download the picture, and give the file.")
        assert site.network.dialled == []


@pytest.mark.parametrize(
    "link",
    [
        "https://shop.example/file/d/1AbC-dEfGhIjKlMn_o/view",
        "https://drive.google.com.evil.example/file/d/1AbC-dEfGhIjKlMn_o/view",
        "https://evil.example/?https://drive.google.com/open?id=1AbC-dEfGhIjKlMn_o",
        "https://user@drive.google.com/file/d/1AbC-dEfGhIjKlMn_o/view",
        "https://drive.google.com:8443/file/d/1AbC-dEfGhIjKlMn_o/view",
        "https://github.com/o/r",
        "https://huggingface.co/spaces/o/r",
        "https://dl.dropboxusercontent.com/s/a1b2/dress.jpg",
        "https://[broken/",
    ],
)
def test_any_other_link_stays_as_it_is(link: str) -> None:
    assert share_of(link) is None


async def test_the_file_behind_a_share_link_is_fetched_by_the_same_rules_and_noted() -> None:
    shared = "http://www.dropbox.com/s/a1b2/dress.png?dl=0"
    async with web(certificate_for="www.dropbox.com") as site:
        site.server.answers["/s/a1b2/dress.png?dl=1"] = response(png())
        picture = await site.pictures.prepare(shared, "cloth_image")
        assert picture.notes == ("the link is a share link of Dropbox; the file itself was used",)
        # A page in its place is the drive's own, and so is the picture on it.
        page = b'<html><meta property="og:image" content="/logo-of-the-drive.png">'
        site.server.answers["/s/a1b2/dress.png?dl=1"] = response(page, kind="text/html")
        said = await site.refused(shared, host="")
        assert said.startswith("cloth_image leads to a web page, not to a picture.")
        assert "This is a share link of Dropbox: see that everybody who has the link may view the file" in said
        site.server.answers["/s/a1b2/dress.png?dl=1"] = redirect("http://169.254.169.254/latest")
        dialled = len(site.network.dialled)
        assert "This is a share link of Dropbox" in await site.refused(shared, host="")
        assert len(site.network.dialled) == dialled + 1
