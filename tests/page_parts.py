"""What a page holds besides its HTML."""

import base64
import gzip
import json
import re
from typing import Any


def unpacked(page: str, name: str) -> str:
    """The text of a compressed element."""
    found = re.search(rf'<script type="application/gzip" id="{name}">([A-Za-z0-9+/=]+)</script>', page)
    assert found is not None, name
    return gzip.decompress(base64.b64decode(found[1])).decode()


def numbers_of(page: str) -> Any:
    """What its charts are drawn from."""
    return json.loads(unpacked(page, "gapscope-data"))
