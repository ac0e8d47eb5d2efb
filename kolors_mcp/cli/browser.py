"""Whether a link can be shown in a browser on this machine, and what opens it there. Nothing is opened here."""

import sys
from collections.abc import Callable, Mapping


def browser_of(environment: Mapping[str, str], platform: str = sys.platform) -> Callable[[str], bool] | None:
    """Return what opens a link in the user's browser; None where there is no screen, or it is another user's.

    Over SSH the browser would open on the other machine; without a display Python would start one in the terminal,
    which is where a host talks to this program.
    """
    if environment.get("SSH_CONNECTION") or environment.get("SSH_TTY"):
        return None
    if platform not in ("win32", "darwin") and not (environment.get("DISPLAY") or environment.get("WAYLAND_DISPLAY")):
        return None
    return open_link


def open_link(link: str) -> bool:
    """Open a link in the user's browser, never one that runs in a terminal; return whether that was possible."""
    import webbrowser  # noqa: PLC0415  (not at every start)

    try:
        browser = webbrowser.get()
    except webbrowser.Error:
        return False
    # Those of a terminal are of this very class; others are of classes made from it.
    return type(browser) is not webbrowser.GenericBrowser and browser.open(link)
