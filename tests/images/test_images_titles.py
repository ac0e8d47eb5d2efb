"""What a picture is called: after its file, its page or its link, as people would say it, or nothing."""

import pytest

from kolors_mcp.images.sources.titles import title_of_file, title_of_link, title_of_page


@pytest.mark.parametrize(
    ("name", "title"),
    [
        ("IMG_2034.jpg", "IMG 2034"),
        ("T-shirt (front).png", "T-shirt (front)"),
        ("red\u202edress\n.jpg", "red dress"),
        ("裙.webp", "裙"),
        ("20240501_123456.jpg", None),
        ("x" * 80 + ".jpg", "x" * 59 + "…"),
    ],
)
def test_a_file_is_called_as_its_name_says(name: str, title: str | None) -> None:
    assert title_of_file(name) == title


@pytest.mark.parametrize(
    ("path", "title"),
    [
        ("a/red-linen-dress_1024x.jpg?v=17&sig=secret", "red linen dress"),
        ("%E7%BA%A2%E8%A3%99.png", "红裙"),
        ("a8f3e2c9d1b74f6e.jpg", None),
        ("image-2.jpg", None),
        ("main.webp", None),
        ("red-dress", None),
        ("red-dress.php?file=x.jpg", None),
        ("0/2/4.jpg", None),
        ("[", None),
    ],
)
def test_a_link_is_called_as_its_file_if_that_is_words(path: str, title: str | None) -> None:
    assert title_of_link(f"https://cdn.shop.example/{path}") == title


def test_a_page_is_called_as_its_title_says_in_one_line() -> None:
    assert title_of_page("Linen\nshirt\u200b | Shop") == "Linen shirt | Shop"
    assert title_of_page(" \n") is None
