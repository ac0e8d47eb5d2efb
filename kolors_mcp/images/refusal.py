"""Why a reference gives no picture, before it is known which argument it came from."""


class RefusalError(Exception):
    """The rest of a sentence whose subject is the argument, e.g. "is 280 x 410 pixels; ...".

    It never leaves this package: `Pictures` puts the argument's name before it.

    Attributes:
        transient: Whether the same may work in a moment, as with a connection that broke.
        picture: Which of several pictures it is about.
    """

    def __init__(self, text: str, *, transient: bool = False, picture: int = 0) -> None:
        super().__init__(text)
        self.transient = transient
        self.picture = picture


def too_small(width: int, height: int, least: int) -> RefusalError:
    """Refuse a picture of which a side has fewer pixels than `least`."""
    return RefusalError(f"is {width} x {height} pixels; each side must be at least {least}. Ask for a larger photo.")


def too_many_pixels(width: int, height: int, most: int, *, of_its_kind: bool = False) -> RefusalError:
    """Refuse a picture that declares more pixels than the `most` that can be opened, of all kinds or of its own."""
    which = " of its kind" if of_its_kind else ""
    return RefusalError(
        f"declares {width} x {height} pixels; at most {most // 1_000_000} megapixels{which} can be opened. "
        "Ask for a smaller version."
    )


def cut_off(width: int, height: int) -> RefusalError:
    """Refuse a picture that brings less than it declares."""
    return RefusalError(f"is cut off: it declares {width} x {height} pixels and ends early. Give the whole file.")
