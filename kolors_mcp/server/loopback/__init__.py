"""The fitting room in a browser on this machine: pages and server at 127.0.0.1, for its user alone.

docs/decisions/0018-own-photos-in-every-host.md says why it is as it is.
"""
