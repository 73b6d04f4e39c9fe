"""The site of docs/ builds without a warning, has a page for everything, and asks nothing of a network."""

import importlib
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import typer

from gapscope.commands.app import app

ROOT = Path(__file__).parents[1]
sys.path.append(str(ROOT / "scripts"))
write_architecture = importlib.import_module("write_architecture")
pytestmark = pytest.mark.slow

FETCHED = re.compile(r"""<(?:script|link|img|iframe|source)\b[^>]*\b(?:src|href)=["']?(?:https?:)?//[^"'\s>]+""")
"""Whatever a browser loads by itself; a link that a reader may follow is none."""
FETCHED_BY_STYLE = re.compile(r"""(?:url\(|@import\s+)["']?(?:https?:)?//[^"')\s]+""")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built as `make docs` does: with --strict a warning is an error."""
    folder = tmp_path_factory.mktemp("site")
    environment = os.environ | {"NO_MKDOCS_2_WARNING": "1"}
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env=environment, timeout=900)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def test_no_page_loads_anything_from_elsewhere(site):
    pages = [page for page in site.rglob("*.html") if "files" not in page.relative_to(site).parts]
    assert len(pages) > 50
    found = [one for page in pages for one in FETCHED.findall(page.read_text(encoding="utf-8"))]
    found += [
        one for style in site.rglob("*.css") for one in FETCHED_BY_STYLE.findall(style.read_text(encoding="utf-8"))
    ]
    found += [one for page in pages for one in FETCHED_BY_STYLE.findall(page.read_text(encoding="utf-8"))]
    assert found == []


def test_what_would_be_loaded_is_told_from_what_may_be_followed():
    assert FETCHED.findall('<script src="https://a.b/c.js">') and FETCHED.findall("<link rel=stylesheet href='//a.b'>")
    assert FETCHED_BY_STYLE.findall("src: url('https://a.b/c.woff2')")
    assert not FETCHED.findall('<a href="https://a.b">') and not FETCHED.findall('<link href="assets/main.css">')


def test_every_command_and_every_room_has_a_page(site):
    import gapscope.cli

    assert gapscope.cli.app is app
    names = []
    for name, command in typer.main.get_command(app).commands.items():
        names += [f"{name}-{inner}" for inner in getattr(command, "commands", {})] or [name]
    pages = {page.stem for page in (site / "reference/commands").glob("*.html")}
    assert pages == set(names)
    architecture = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
    for room in write_architecture.folders(architecture)[1:]:
        page = site / f"reference/rooms/{room.path.rstrip('/').replace('/', '-')}.html"
        text = page.read_text(encoding="utf-8")
        for child in room.children:
            module = f"gapscope/{room.path}{child}".removesuffix(".py").replace("/", ".")
            assert child.endswith("/") or f'id="{module}"' in text, module


def test_the_home_page_is_the_readme_with_links_that_hold_on_the_site(site):
    text = (site / "index.html").read_text(encoding="utf-8")
    assert 'src="images/page.png"' in text and (site / "images/page.png").is_file()
    assert 'href="tutorial.html"' in text and 'href="files/LICENSE"' not in text
    assert (site / "files/notebooks/1-first-look.ipynb").is_file()


def test_a_commands_page_names_its_options(site):
    assert "--jobs" in (site / "reference/commands/run.html").read_text(encoding="utf-8")


def test_every_public_name_is_listed_with_a_link(site):
    import gapscope

    text = (site / "reference/python.html").read_text(encoding="utf-8")
    for name in gapscope.__all__:
        if callable(getattr(gapscope, name)):
            assert re.search(rf'<a [^>]*href="rooms/[^"]+"[^>]*><code>gapscope\.{name}</code></a>', text), name
