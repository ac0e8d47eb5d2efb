"""Who calls: one user, what they may see of the account, and whether they may spend its money."""

from typing import NamedTuple


class Caller(NamedTuple):
    """The user of one call, as the door knows them."""

    user: str
    """As whose their try-ons are written down; of another door's users none has the same."""
    owns_account: bool
    """Whether the account is theirs alone, so that they may see whatever Kling shows of it."""
    may_create: bool = True
    """Whether they may start what costs money."""
    is_local: bool = True
    """Whether this machine is theirs, so that they may be told of its files, and pictures be kept on it for them."""


LOCAL = Caller("local", owns_account=True)
"""The one user of a server that runs on its user's own machine."""
