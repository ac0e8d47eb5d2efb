"""How much one process takes in at once, and for how long it waits for it."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Bounds:
    """All of them, so that tests can have small ones."""

    body_bytes: int = 30 * 1024 * 1024
    """Of a request: two pictures of 10 MB in base64, and what stands around them."""
    small_body_bytes: int = 64 * 1024
    """A body up to here waits for nothing; all that carries no picture is smaller."""
    bodies_bytes: int = 80 * 1024 * 1024
    """Of all larger bodies together, from their first byte until their pictures are sent, or they are answered."""
    turn_seconds: float = 15.0
    """For which a body waits until others have left it room; meanwhile it is not read."""
    body_seconds: float = 40.0
    """Until a body must be whole, once there is room for it."""
    head_seconds: float = 10.0
    """From the first byte of a request's head to its last, and for the rest of a body that was refused."""
    idle_seconds: float = 75.0
    """For which a connection may say nothing: longer than proxies keep theirs, so that none closes under a request."""
    stalled_seconds: float = 60.0
    """For which a client may take nothing of its answer."""
    requests: int = 4_000
    """Under way at once."""
    connections: int = 12_000
    """Open at once; beyond them the one that has been idle longest makes room."""


FOR_SERVICE = Bounds()
