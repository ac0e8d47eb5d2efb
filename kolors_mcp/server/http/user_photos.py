"""The kept photos of each user of the service, on its shelf."""

from weakref import WeakValueDictionary

from kolors_mcp.images.photo_shelf import PhotoShelf
from kolors_mcp.shelf.owners import owner_mark, photos_folder
from kolors_mcp.shelf.shelf import Shelf


class UserPhotos:
    """Where each user's photos lie; what two calls of one user change at once, they change one after the other."""

    def __init__(self, shelf: Shelf) -> None:
        """Touch nothing yet."""
        self._shelf = shelf
        self._stores: WeakValueDictionary[str, PhotoShelf] = WeakValueDictionary()

    def of_user(self, user: str) -> PhotoShelf:
        """Return where a user's photos lie."""
        return self.of_mark(owner_mark(user))

    def of_mark(self, mark: str) -> PhotoShelf:
        """Return the same for whoever knows only what stands for the user."""
        store = self._stores.get(mark)
        if store is None:
            store = self._stores[mark] = PhotoShelf(self._shelf, photos_folder(mark))
        return store
