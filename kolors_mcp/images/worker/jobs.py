"""What is done to pictures in the decoding process, each job by its name."""

from collections.abc import Callable, Sequence

from kolors_mcp.images import limits
from kolors_mcp.images.formats.content import Content
from kolors_mcp.images.pixels import outfit, preview, sheet
from kolors_mcp.images.pixels.costs import DearError, no_memory
from kolors_mcp.images.pixels.decode import decode
from kolors_mcp.images.pixels.encode import encode
from kolors_mcp.images.refusal import RefusalError
from kolors_mcp.images.worker.messages import Answer, Dear, Done, Given, Job, Refused, Request

Picture = tuple[Content, Given]


def perform(request: Request, contents: Sequence[Content]) -> Answer:
    """Do what is asked for; the contents are in the order of the request's pictures."""
    try:
        try:
            return _JOBS[request.job](request, list(zip(contents, request.pictures, strict=True)))
        except MemoryError as error:  # of what comes after decoding
            dearest = max(request.pictures, key=lambda given: given.size)
            raise no_memory(dearest.kind, dearest.size, request.memory) from error
    except RefusalError as error:
        return Refused(str(error), error.transient)
    except DearError as error:
        return Dear(error.memory)


def _convert(request: Request, pictures: Sequence[Picture]) -> Answer:
    ((content, given),) = pictures
    bounds = request.bounds
    pixels = decode(
        content,
        given.kind,
        given.outline,
        smaller=lambda size: bounds.size_for(size, scales=given.kind == "JPEG"),
        memory=request.memory,
    )
    data, notes = encode(pixels, content.size, bounds, given.outline)
    return Done(data, tuple(notes))


def _outfit(request: Request, pictures: Sequence[Picture]) -> Answer:
    pieces: list[outfit.Garment] = []
    for number, (content, given) in enumerate(pictures):
        try:
            pieces.append(outfit.garment(content, given.kind, given.outline, request.memory))
        except RefusalError as error:
            return Refused(str(error), error.transient, number)
    upper, lower = pieces
    try:
        data, notes = outfit.compose(upper, lower, request.bounds)
    except RefusalError as error:
        return Refused(str(error), error.transient, 1)
    return Done(data, notes)


def _preview(request: Request, pictures: Sequence[Picture]) -> Answer:
    ((content, given),) = pictures
    return Done(preview.preview(content, given.kind, request.memory))


def _side_by_side(request: Request, pictures: Sequence[Picture]) -> Answer:
    (left, left_given), (right, right_given) = pictures
    return Done(preview.side_by_side((left, left_given.kind), (right, right_given.kind), request.memory))


def _sheet(request: Request, pictures: Sequence[Picture]) -> Answer:
    return Done(sheet.sheet(pictures, request.captions, request.memory))


def _for_host(request: Request, pictures: Sequence[Picture]) -> Answer:
    ((content, given),) = pictures
    data, shrunk = preview.for_host(content, given.kind, request.memory)
    return Done(data, (), shrunk)


def _verify(request: Request, pictures: Sequence[Picture]) -> Answer:
    ((content, given),) = pictures
    decode(content, given.kind, given.outline, smaller=_thumbnail, least=1, memory=request.memory)
    return Done()


def _thumbnail(size: tuple[int, int]) -> tuple[int, int]:
    """Return a small size: whether a picture is whole does not depend on how large its pixels are kept."""
    factor = min(1.0, limits.PREVIEW_SIDE / max(size))
    return max(1, round(size[0] * factor)), max(1, round(size[1] * factor))


_JOBS: dict[Job, Callable[[Request, Sequence[Picture]], Answer]] = {
    "convert": _convert,
    "outfit": _outfit,
    "preview": _preview,
    "side_by_side": _side_by_side,
    "sheet": _sheet,
    "for_host": _for_host,
    "verify": _verify,
}
