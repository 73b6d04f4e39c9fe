"""How do a library of 5 MB and all numbers of a study fit on a page? Compressed; the reader's browser inflates them.

Elements of type `application/gzip` hold base64 of gzip, which scripts/inflate.js reads with the browser's own
DecompressionStream. The page's policy names each script by its hash: whatever else finds its way onto it cannot run.
"""

import base64
import gzip
import hashlib
import json
from dataclasses import dataclass
from functools import cache
from typing import Any

from markupsafe import Markup
from plotly.offline import get_plotlyjs

PLOTLY, DATA = "gapscope-plotly", "gapscope-data"
"""Ids of the elements that scripts/base.js looks for."""


@dataclass(frozen=True)
class Embedded:
    """What a page with charts needs besides its own HTML."""

    policy: str
    """Content of its Content-Security-Policy: no network, and no script but ours."""
    elements: Markup
    """For the end of its body: plotly.js, the numbers, and the script that draws them."""


def embed(script: str, data: Any, more: str = "") -> Embedded:
    """Put plotly.js, numbers and a script on a page.

    Args:
        script: The page's own script, rendered from a template that extends script.js.j2.
        data: JSON-able; scripts find it as `data`.
        more: Further directives of the policy, such as `connect-src 'self'`.
    """
    plotly, plotly_hash = _plotly()
    numbers = json.dumps(data, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    elements = [_packed(PLOTLY, plotly), _packed(DATA, compressed(numbers)), f"<script>{_script_text(script)}</script>"]
    return Embedded(policy(plotly_hash, source_hash(script), more=more), Markup("\n".join(elements)))


def embed_script(script: str) -> Embedded:
    """Put a script alone on a page: one without charts."""
    return Embedded(policy(source_hash(script)), Markup(f"<script>{_script_text(script)}</script>"))


def compressed(text: str) -> str:
    """Base64 of gzip, the same for the same text."""
    return base64.b64encode(gzip.compress(text.encode(), compresslevel=9, mtime=0)).decode()


def policy(*script_hashes: str, more: str = "") -> str:
    """A Content-Security-Policy that allows scripts with these hashes, pictures from the page itself, and nothing else.

    Args:
        script_hashes: As `source_hash` gives them.
        more: Further directives, such as `connect-src 'self'`.
    """
    rules = [
        "default-src 'none'",
        "script-src " + " ".join(f"'{one}'" for one in script_hashes),
        "style-src 'unsafe-inline'",
        "img-src data: blob:",
        "font-src data:",
        "base-uri 'none'",
        "form-action 'none'",
        *filter(None, [more]),
    ]
    return "; ".join(rules)


def source_hash(script: str) -> str:
    """A script's SHA-256 as a Content-Security-Policy spells it."""
    return "sha256-" + base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()


@cache
def _plotly() -> tuple[str, str]:
    """plotly.js compressed, and its hash."""
    text = get_plotlyjs()
    return compressed(text), source_hash(text)


def _packed(name: str, base64_text: str) -> str:
    return f'<script type="application/gzip" id="{name}">{base64_text}</script>'


def _script_text(script: str) -> str:
    """The script, unless it would end its own element."""
    assert "</script" not in script.lower() and "<!--" not in script
    return script
