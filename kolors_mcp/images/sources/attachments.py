"""Which texts stand for a picture of the chat itself, which no server ever gets, and what to give instead."""

import re

from kolors_mcp.bounds import linear

INSTEAD = (
    "Give the path that the host shows with it or an https link, or call open_fitting_room, where the user picks "
    "the photo."
)
NO_PATH = f"is a picture attached to the chat, which does not reach this server. {INSTEAD}"

SCHEMES = frozenset(
    ("attachment", "attachments", "blob", "cid", "mid", "content", "sandbox", "file-service", "clipboard", "upload")
)
"""Of links that mean something only to the program that made them, and are often written without slashes."""

_MAX_CHARACTERS = 200
_FOLDERS = re.compile(r"/(?:mnt/(?:data|user-data|uploads)|home/(?:oai|sandbox))/")
"""Where hosted assistants keep uploads, on a machine of their own (OpenAI, Anthropic)."""
_ID = re.compile(r"(?:file|attachment|asset|image|img|upload|media|part|blob)[-_:#][A-Za-z0-9_-]{4,}")
"""What services call an upload, e.g. `file-abc123` (OpenAI) and `file_011C...` (Anthropic)."""
_NAMED = re.compile(r"[\w\s'\"()\[\]{}<>#:.,!@*_-]*")
_WORD = re.compile(r"[^\W\d_]+")
_SAYING_SO = re.compile(
    r"(?:attach|upload|past|clipboard|inline|above|conversation|chat|anhang|angeh|adjunt|anexo|joint|allegat)",
    re.IGNORECASE,
)
_PICTURE = re.compile(r"(?:images?|img|imagen|imagem|photos?|foto|bild|pictures?|pic|file|screenshot)", re.IGNORECASE)
_BESIDE = re.compile(
    r"(?:an?|the|my|your|this|users?|input|person|human|model|garment|cloth|upper|lower|first|second|of|from|url|data|base)",
    re.IGNORECASE,
)
_OTHER_SCRIPTS = ("附件", "图片", "照片", "上传", "圖片", "添付", "画像", "첨부", "사진", "вложение", "фото")


@linear(b"a", b"[", b"a ", b"file-", b"#1", "附".encode(), b"/mnt/data/", b".")
def is_attachment(text: str) -> bool:
    """Return whether a text that names no file stands for a picture of the chat, e.g. "[Image #1]" or "file-abc123"."""
    if len(text) > _MAX_CHARACTERS:
        return False
    if _FOLDERS.match(text) or _ID.fullmatch(text):
        return True
    if "." in text.strip(" .") or not _NAMED.fullmatch(text):
        return False  # what has an ending is a file's name
    words = _WORD.findall(text)
    if any(part in text for part in _OTHER_SCRIPTS) or any(map(_SAYING_SO.match, words)):
        return True
    return any(map(_PICTURE.fullmatch, words)) and all(_PICTURE.fullmatch(it) or _BESIDE.fullmatch(it) for it in words)
