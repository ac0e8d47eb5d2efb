"""Lets freed memory serve what comes next: given back and asked for anew, each page is cleared and mapped."""


def keep_freed_memory(largest_bytes: int) -> None:
    """Keep blocks of up to this size, and up to twice as much in all, where the C library is glibc.

    What glibc gives back follows the largest block that was freed so far: up to its size blocks come from the heap, of
    which twice as much stays (mallopt(3), M_MMAP_THRESHOLD). Other C libraries decide by themselves.
    """
    bytes(largest_bytes)  # made and freed at once; its pages are never touched
