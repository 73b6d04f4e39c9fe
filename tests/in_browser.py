"""Opens pages in Chromium. Nothing is downloaded; what a page complains about or asks a network for is kept."""

import os
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

NEEDED = "GAPSCOPE_NEEDS_BROWSER"
"""Set where a missing browser is a failure, not a reason to skip: in continuous integration."""
OFFLINE = ("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update")
OPTIONS = (*OFFLINE, "--disable-sync", "--no-first-run", "--disable-quic")
FIRST = ("gap", "where", "next")
SECTIONS = (*FIRST, "caveats", "performance", "layers", "activations", "pictures", "data", "training")


def chromium() -> str:
    """Where the browser is."""
    found = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if found is None and os.environ.get(NEEDED):
        pytest.fail(f"there is no Chromium, and {NEEDED} is set. Install it: apt-get install chromium")
    return found or pytest.skip("needs Chromium to open the page: apt-get install chromium")


@dataclass
class Heard:
    """What a page said and asked for while it was open."""

    complaints: list[str] = field(default_factory=list)
    """Console errors and warnings, errors that nobody caught, dialogs."""
    requests: list[str] = field(default_factory=list)
    """Addresses that are neither a file nor on the page itself."""
    local: bool = False
    """Whether the page comes from a server on this machine, which may be asked."""

    def listen(self, page: Any) -> None:
        page.on("console", lambda m: self.complaints.append(m.text) if m.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("dialog", self.dialog)
        page.on("request", lambda request: self.hear_request(request.url))

    def dialog(self, dialog: Any) -> None:
        self.complaints.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    def hear_request(self, url: str) -> None:
        own = ("file:", "data:", "blob:", "about:", *(["http://127.0.0.1:"] if self.local else []))
        if not url.startswith(own):
            self.requests.append(url)


class Browser:
    """Opens each page in a window of its own, with its own storage."""

    def __init__(self, driven: Any) -> None:
        self.driven = driven
        self.contexts: list[Any] = []
        self.heard = Heard()

    def open(
        self,
        place: Path | str,
        *,
        width: int = 1280,
        height: int = 900,
        dark: bool = False,
        folded: bool = False,
        **more: Any,
    ) -> Any:
        """The page, ready to be used; what it folds up is opened unless it is to stay `folded`."""
        page = self.window(width=width, height=height, dark=dark, **more)
        page.goto(place if isinstance(place, str) else place.as_uri())
        page.wait_for_selector("html[data-ready]", state="attached")
        if not folded:
            unfold(page)
        return page

    def window(self, *, width: int = 1280, height: int = 900, dark: bool = False, **more: Any) -> Any:
        """An empty one."""
        look = {"color_scheme": "dark" if dark else "light", "reduced_motion": "reduce"}
        context = self.driven.new_context(viewport={"width": width, "height": height}, **look, **more)
        context.set_default_timeout(60_000)  # a busy machine draws slowly
        self.contexts.append(context)
        page = context.new_page()
        self.heard.listen(page)
        return page

    def close(self) -> None:
        """Close all windows; nothing may have been complained about, or asked of a network."""
        for context in self.contexts:
            context.close()
        heard, self.contexts, self.heard = self.heard, [], Heard()
        assert heard.complaints == []
        assert heard.requests == []


def unfold(page: Any) -> None:
    """Open every section that the page folds up."""
    page.evaluate("document.querySelectorAll('details.more').forEach((d) => { d.open = true; })")


def draw_all(page: Any) -> int:
    """Scroll until every chart that can be seen is drawn; how many there are."""
    charts = page.locator(".plot:visible")
    for chart in charts.all():
        chart.scroll_into_view_if_needed()
        page.wait_for_function("(chart) => chart.childElementCount > 0", arg=chart.element_handle())
    return charts.count()


def text_of(page: Any, selector: str = "body") -> str:
    return page.locator(selector).first.inner_text()


def serious(page: Any, *rules: str) -> list[str]:
    """What axe-core calls a serious or critical barrier, by these rules or by all: rule, how often, first element."""
    from axe_playwright_python.sync_playwright import Axe

    options = {"resultTypes": ["violations"]} | ({"runOnly": list(rules)} if rules else {})
    many = {"exclude": [["#curve-numbers"], [".js-plotly-plot svg"]]}  # thousands of parts that are all alike
    found = Axe().run(page, context=many, options=options).response["violations"]
    return [
        f"{v['id']} ({len(v['nodes'])}): {v['nodes'][0]['html'][:200]} {v['nodes'][0]['failureSummary'][:200]}"
        for v in found
        if v["impact"] in ("serious", "critical")
    ]
