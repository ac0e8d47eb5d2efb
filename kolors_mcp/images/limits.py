"""Every number that decides about a picture, in one place, with its reason."""

MAX_BYTES = 10_000_000
"""Most bytes of a picture (vendor: "cannot exceed 10MB"; this is right whichever megabyte is meant)."""

MIN_SIDE = 300
"""Least pixels of each side (vendor: "should not be less than 300*300px")."""

SENT_SIDE = 2_048
"""Longest side of what is sent, unless the user sets another: Kling's newer pipeline takes no more, and serves the old
requests too. What is larger only waits longer on the line."""

NEAR_ENOUGH = 0.93
"""Share of the longest side that is taken too where a decoder comes to it by itself: 4032 pixels become 2016."""

MAX_SIDE = 8_000
"""Longest side of what is written anew where the user wants originals."""

MAX_PIXELS = 25_000_000
"""Most pixels of what is written anew."""

SHRUNK_SIDE = 4_000
"""Longest side of what is written anew and had more pixels than that: several times what a try-on renders."""

NOTED_ASPECT_RATIO = 2.5
"""Beyond 1:2.5 or 2.5:1 a note is made; the vendor's sibling pages refuse there, this one states no rule."""

MAX_DECODED_PIXELS = 89_000_000
"""Most pixels that are decoded, however little each costs: just below where Pillow begins to warn."""

MAX_DECODERS = 2
"""Processes that decode at once: each takes a core."""

DECODING_SHARE_BYTES = 40_000_000
"""Memory for each of two pictures that are decoded at once: what most photos take, of whatever size, since a JPEG is
decoded smaller and a PNG some rows at a time. With what encoding takes, the two hold less than 120 MB."""

DECODING_BYTES = 240_000_000
"""Memory for one picture that is decoded alone. Either way all of our processes stay below 400 MB."""

PHOTO_DECODING_BYTES = 900_000_000
"""The same where the file is as large as a photo's: 75 megapixels of a WebP, 89 of most others."""

PHOTO_PIXELS_PER_BYTE = 32
"""Most pixels for each byte of a file that is as large as a photo. Cameras write 2 to 15; a bomb has thousands."""

DECODING_SECONDS = 20.0
"""All the time that decoding one picture has, by the clock: the dearest picture that is taken needs 3 s."""

DECODING_CPU_SECONDS = 15
"""The same in a processor's time."""

DECODER_IDLE_SECONDS = 60.0
"""After so long without a picture, a decoding process is ended."""

MAX_OUTPUT_BYTES = 16_000_000
"""Most bytes that are taken from a decoding process; what it writes is at most `MAX_BYTES`."""

MAX_SCAN_PIXELS = 1_000_000_000
"""Most pixels times scans of a progressive JPEG: every scan visits every pixel, so this bounds the time."""

MAX_SCANS = 100
"""Most scans of a JPEG that travels as it is; encoders write up to some 20."""

MAX_FETCHED_BYTES = 20_000_000
"""Most bytes of a picture that is fetched or given inside the call."""

MAX_FILE_BYTES = 64_000_000
"""Most bytes of a file that is opened."""

MAX_PAGE_BYTES = 512 * 1024
"""Most bytes of a web page that is searched for its main picture, which pages name in their heads."""

FETCH_SECONDS = 20.0
"""All the time a fetch has, waiting in line, redirects, a page and its picture included. A server that brings next to
nothing is given up much sooner; see `waits`."""

MAX_REDIRECTS = 5
MAX_FETCHES = 16
"""Most fetches at once, to keep sockets and memory (16 times 20 MB at worst) bounded."""
MAX_FETCHES_PER_HOST = 4

PREVIEW_SIDE = 768
PREVIEW_BYTES = 150_000
"""Most bytes of a preview: 200 KB of base64, since hosts refuse results of 1 MB."""

SHEET_SIDE, SHEET_PICTURES = 1_200, 10
"""Of a sheet of pictures: its longest side, and how many are on it: nine results and a person."""

FOR_HOST_SIDE = 2_048
FOR_HOST_BYTES = 700_000
"""Most bytes of a picture that is handed out whole: 934 KB of base64, below the 1 MB at which hosts refuse a result."""
