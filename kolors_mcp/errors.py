"""The one error hierarchy: each error knows what happened, whether anything was created, and what to do next."""


class KolorsError(Exception):
    """Base of everything this package raises on purpose; its text is written for an assistant and its user."""


class NotConfiguredError(KolorsError):
    """A setting is missing or wrong; the text names the variable."""


class ArgumentError(KolorsError):
    """An argument, or a combination of arguments, that no try-on can be made from."""


class PictureRefusedError(KolorsError):
    """A picture that could not be had or cannot be used. Nothing was sent to Kling."""


class ResultUnavailableError(KolorsError):
    """A finished picture that cannot be shown: not finished yet, no such index, link expired."""
