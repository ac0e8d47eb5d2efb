"""From the settings of the service to what its account is opened with: the line, its shelf, where Kling calls back."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from kolors_mcp.clock import Clock
from kolors_mcp.server.http.upload_links import UploadLinks
from kolors_mcp.server.http.user_photos import UserPhotos
from kolors_mcp.server.sharing import Sharing
from kolors_mcp.service_settings import ServiceSettings

if TYPE_CHECKING:
    from kolors_mcp.jobs.copies import ShelfCopies
    from kolors_mcp.jobs.line_parts import LineSettings
    from kolors_mcp.shelf.shelf import Shelf


def sharing_of(
    service: ServiceSettings,
    shelf: "Shelf",
    clock: Clock,
    *,
    photos: UserPhotos,
    links: UploadLinks,
    callback_address: Callable[[str], str | None],
) -> Sharing:
    """Return how the account of a service is opened.

    Args:
        service: What is set.
        shelf: On which pictures wait.
        clock: Spreads tries.
        photos: Where kept photos lie.
        links: By which users hand some over.
        callback_address: Where Kling calls about a create.
    """

    def line(ledger_url: str) -> "LineSettings":
        from kolors_mcp.jobs.line_parts import LineSettings  # noqa: PLC0415  (the database is loaded when it is opened)
        from kolors_mcp.ledger.slots import Terms  # noqa: PLC0415
        from kolors_mcp.ledger.wakes import Wakes  # noqa: PLC0415

        terms = Terms(service.slots, service.max_waiting, service.max_wait_seconds)
        return LineSettings(terms, shelf, Wakes(ledger_url, clock))

    def copies() -> "ShelfCopies | None":
        from kolors_mcp.jobs.copies import ShelfCopies  # noqa: PLC0415  (as above)

        return ShelfCopies(shelf) if service.keep_results else None

    return Sharing(photos.of_user, links.made_for, copies, line, callback_address)
