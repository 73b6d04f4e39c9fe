"""What kind of weights file is this? Looked up in its first bytes; nothing of it is run."""

from pathlib import Path
from typing import Literal

from gapscope.errors import InputError

FileKind = Literal["safetensors", "torch", "darknet"]
TORCH_SUFFIXES = (".pt", ".pth", ".bin", ".tar")
STARTS_OF_PAGES = (b"<!doctype", b"<html", b"<?xml", b"<head")


def file_kind(path: Path) -> FileKind:
    """Which of the formats that gapscope reads; a file without signs of another is Darknet's.

    Raises:
        InputError: If the file is missing, or is a web page or a Git LFS pointer instead of what it is named after.
    """
    if not path.is_file():
        raise InputError(f"{path}: there is no such weights file. Check the path.")
    with path.open("rb") as stream:
        start = stream.read(256)
    if start.startswith(b"version https://git-lfs"):
        raise InputError(
            f"{path} is a Git LFS pointer, a note of {path.stat().st_size} bytes in place of the weights. "
            "Fetch the file itself, for example with: git lfs pull"
        )
    if start.lstrip().lower().startswith(STARTS_OF_PAGES):
        raise InputError(f"{path} is a web page, not weights - the download answered with a page. Download it again.")
    if path.suffix == ".safetensors" or start[8:9] == b"{":
        return "safetensors"
    if path.suffix in TORCH_SUFFIXES or start.startswith((b"PK\x03\x04", b"\x80\x02")):
        return "torch"
    return "darknet"
