"""A process beside the server in which every picture is decoded, so that decoding can be ended at any moment.

`pool.Decoders` is the server's side and keeps at most two of them; `__main__` is the process itself.
"""
