"""Links of the big drives that open a page about a file: the link of the file itself, or how its owner gets at it."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import SplitResult, parse_qsl, urlencode, urlsplit

from kolors_mcp.bounds import linear
from kolors_mcp.images.sources.links import MAX_LINK_CHARACTERS

_ID = r"([A-Za-z0-9_-]{10,200})"
_GOOGLE_FILE = re.compile(rf"/(?:a/[^/]{{1,100}}/)?file/(?:u/[0-9]{{1,2}}/)?d/{_ID}(?:/.*)?", re.DOTALL)
_CODE_FILE = re.compile(r"(/(?:(?:spaces|datasets)/)?[^/]{1,100}/[^/]{1,100}(?:/-)?)/blob/(.+)", re.DOTALL)


@dataclass(frozen=True)
class Share:
    """A link to a shared file.

    Attributes:
        drive: Whose it is.
        original: The link of the file itself; None if there is none that can be followed without a browser.
    """

    drive: str
    original: str | None

    @property
    def instead(self) -> str:
        """What to do where the file is not given out."""
        return (
            f"This is a share link of {self.drive}: see that everybody who has the link may view the file, and that it "
            "is of one picture; or open it in a browser, download the picture, and give the file."
        )


def _google(link: SplitResult, query: dict[str, str]) -> str | None:
    found = _GOOGLE_FILE.fullmatch(link.path)
    file = found[1] if found else query.get("id", "") if link.path in ("/open", "/uc", "/thumbnail") else ""
    if not re.fullmatch(_ID, file):
        return None
    key = {"resourcekey": query["resourcekey"]} if "resourcekey" in query else {}
    return "https://drive.google.com/uc?" + urlencode({"export": "download", "id": file, **key})


def _dropbox(link: SplitResult, query: dict[str, str]) -> str | None:
    # "/scl/fo/" and "/sh/" are folders.
    return _with(link, query, "dl") if link.path.startswith(("/s/", "/scl/fi/")) else None


def _onedrive(_: SplitResult, query: dict[str, str]) -> str | None:
    if "resid" not in query or "authkey" not in query:
        return None
    return "https://onedrive.live.com/download?" + urlencode({name: query[name] for name in ("resid", "authkey")})


def _sharepoint(link: SplitResult, query: dict[str, str]) -> str | None:
    # ":i:" is a picture, ":u:" any file; ":f:" is a folder.
    return _with(link, query, "download") if link.path.startswith(("/:i:/", "/:u:/")) else None


def _code(link: SplitResult, _: dict[str, str]) -> str | None:
    return _file_of(link, "raw")


def _models(link: SplitResult, _: dict[str, str]) -> str | None:
    return _file_of(link, "resolve")


def _file_of(link: SplitResult, word: str) -> str | None:
    found = _CODE_FILE.fullmatch(link.path)
    return link._replace(path=f"{found[1]}/{word}/{found[2]}", query="", fragment="").geturl() if found else None


def _none(_: SplitResult, __: dict[str, str]) -> None:
    """Has no link that leads to the file without a browser."""


_DRIVES: tuple[tuple[re.Pattern[str], str, Callable[[SplitResult, dict[str, str]], str | None]], ...] = (
    (re.compile(r"(?:drive|docs)\.google\.com"), "Google Drive", _google),
    (re.compile(r"(?:www\.)?dropbox\.com"), "Dropbox", _dropbox),
    (re.compile(r"onedrive\.live\.com|1drv\.ms"), "OneDrive", _onedrive),
    (re.compile(r"[a-z0-9-]{1,63}\.sharepoint\.com"), "OneDrive", _sharepoint),
    (re.compile(r"github\.com|gitlab\.com|gitee\.com"), "a code host", _code),
    # Where the samples of the vendor's own demonstration are.
    (re.compile(r"huggingface\.co|hf\.co"), "a code host", _models),
    (re.compile(r"(?:www|share)\.icloud\.com"), "iCloud", _none),
    (re.compile(r"(?:[a-z0-9-]{1,63}\.)?box\.com"), "Box", _none),
    (re.compile(r"(?:www\.)?wetransfer\.com|we\.tl"), "WeTransfer", _none),
    (re.compile(r"mega\.(?:nz|io)"), "MEGA", _none),
    (re.compile(r"(?:u|e|my)\.pcloud\.(?:com|link)"), "pCloud", _none),
    (re.compile(r"drive\.proton\.me"), "Proton Drive", _none),
    (re.compile(r"pan\.baidu\.com"), "Baidu", _none),
    (re.compile(r"disk\.yandex\.(?:com|ru)|yadi\.sk"), "Yandex Disk", _none),
)


@linear(b"a", b"/", b"?a=b&", b"&", b"%41", b"/a/blob/", b"[", b"@", opening=b"https://drive.google.com/")
def share_of(link: str) -> Share | None:
    """Return what is known of a link if it is one that a drive shares a file with; None for any other link."""
    if len(link) > MAX_LINK_CHARACTERS:
        return None
    try:
        parts = urlsplit(link)
        host = (parts.hostname or "").rstrip(".")
        query = dict(parse_qsl(parts.query, keep_blank_values=True))
        plain = parts.port is None and parts.username is None
    except ValueError:
        return None
    if not plain or parts.scheme not in ("http", "https"):
        return None
    for hosts, drive, original_of in _DRIVES:
        if hosts.fullmatch(host):
            original = original_of(parts._replace(scheme="https"), query)
            # Other pages of a code host are pages like any.
            return None if original is None and original_of in (_code, _models) else Share(drive, original)
    return None


def _with(link: SplitResult, query: dict[str, str], name: str) -> str:
    """Return the link with a switch set, and without others that contradict it."""
    kept = {key: value for key, value in query.items() if key not in ("raw", "web")}
    return link._replace(query=urlencode({**kept, name: "1"}), fragment="").geturl()
