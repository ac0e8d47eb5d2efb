"""Why a reference gives no picture, before it is known which argument it came from."""


class RefusalError(Exception):
    """The rest of a sentence whose subject is the argument, e.g. "is 280 x 410 pixels; ...".

    It never leaves this package: `Pictures` puts the argument's name before it.

    Attributes:
        passing: Whether the same may work in a moment, as with a connection that broke.
        picture: Which of several pictures it is about.
    """

    def __init__(self, text: str, *, passing: bool = False, picture: int = 0) -> None:
        super().__init__(text)
        self.passing = passing
        self.picture = picture
