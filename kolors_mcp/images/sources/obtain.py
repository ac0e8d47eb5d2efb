"""Gets hold of the bytes that a reference names, wherever they are: on the web, in a file, or in itself."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from kolors_mcp.images.formats.content import Content, FileContent, MemoryContent
from kolors_mcp.images.formats.examine import Looked, look
from kolors_mcp.images.refusal import RefusalError
from kolors_mcp.images.sources.fetch import Fetched, Fetcher
from kolors_mcp.images.sources.files import open_file
from kolors_mcp.images.sources.photos import PhotoStore, open_photo
from kolors_mcp.images.sources.reference import FilePath, KeptPhoto, WebLink, parse, parse_inline
from kolors_mcp.images.sources.shares import share_of
from kolors_mcp.images.sources.titles import title_of_file, title_of_link, title_of_page
from kolors_mcp.local_pictures import PHOTO_SCHEME
from kolors_mcp.pictures import InlinePicture, LoadedPicture, PictureSource
from kolors_mcp.threads import Threads

_THREAD_FROM_CHARACTERS = 100_000
"""Characters from which on reading a reference is work for a thread."""


@dataclass(frozen=True)
class Obtained:
    """Bytes that are said to be a picture; their owner closes them."""

    content: Content
    label: str
    notes: tuple[str, ...] = ()
    looked: Looked | None = None
    """What a first look has shown, where it cost no turn of its own."""
    title: str | None = None
    """What people call it, if anything says so."""


async def obtain(
    source: PictureSource,
    fetcher: Fetcher,
    folders: Sequence[Path],
    threads: Threads,
    photos: PhotoStore | None = None,
) -> Obtained:
    """Return what `source` names, or is.

    Args:
        source: A link, path, `file://` link, `data:` URI, bare base64 or kept photo, or a picture that is here already.
            What came in a message is told when the content is closed.
        fetcher: Follows links.
        folders: Where local files may be read.
        threads: For reading long references and files.
        photos: Where the user's kept photos lie.

    Raises:
        RefusalError: There is no such thing, or it may not be had.
    """
    if isinstance(source, LoadedPicture):
        return Obtained(MemoryContent(source.data), source.label, source.notes, title=source.title)
    gone = source.gone if isinstance(source, InlinePicture) else None
    if isinstance(source, InlinePicture):
        named = parse_inline(source)
    elif len(source) > _THREAD_FROM_CHARACTERS:
        named = await threads.run(parse, source)
    else:
        named = parse(source)
    if isinstance(named, WebLink):
        fetched = await _fetched(named.url, fetcher)
        title = title_of_page(fetched.title) or title_of_link(named.url)
        return Obtained(MemoryContent(fetched.data), fetched.label, fetched.notes, title=title)
    if isinstance(named, FilePath):
        return await threads.run(_opened, partial(open_file, named.path, folders))
    if isinstance(named, KeptPhoto):
        return await _kept(named.name, await open_photo(named.name, photos), threads)
    return Obtained(MemoryContent(named.data, gone), named.label)


async def _fetched(link: str, fetcher: Fetcher) -> Fetched:
    share = share_of(link)
    if share is None:
        return await fetcher.fetch(link)
    if share.original is None:
        raise RefusalError(f"leads to a page that gives no picture without a browser. {share.instead}")
    try:
        # Where the file itself is not given out, a page comes, and its picture is the drive's.
        fetched = await fetcher.fetch(share.original, pages=False)
    except RefusalError as error:
        raise RefusalError(f"{error} {share.instead}", transient=error.transient) from error
    note = f"the link is a share link of {share.drive}; the file itself was used"
    return replace(fetched, notes=(note, *fetched.notes))


async def _kept(name: str, content: Content, threads: Threads) -> Obtained:
    try:
        looked = await threads.run(look, content)
    except BaseException:
        content.close()
        raise
    return Obtained(content, PHOTO_SCHEME + name, looked=looked, title=title_of_file(name))


def _opened(opening: Callable[[], tuple[FileContent, str]]) -> Obtained:
    """Open a file and look through it in one turn of a thread: handing over costs more than a small picture does."""
    content, label = opening()
    try:
        return Obtained(content, label, looked=look(content), title=title_of_file(label))
    except BaseException:
        content.close()
        raise
