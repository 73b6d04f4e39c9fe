"""Pages of the site that no one writes: one per command, one per room, and more. A hook of mkdocs, see mkdocs.yml."""

import re
import sys
from pathlib import Path
from typing import Any

import griffe
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

sys.path.append(str(Path(__file__).parent))
import write_architecture

ROOT = Path(__file__).parents[1]
AT_ROOT = {"README.md": "index.md", "CONTRIBUTING.md": "contributing.md", "CHANGELOG.md": "changelog.md"}
"""Pages that lie beside docs/, and what they are called on the site."""
PYTHON = "reference/python.md"
BESIDE = "Files beside the rooms"
LINK = re.compile(r"(?<=\]\()([^)#:\s]+)")


EXAMPLE = re.compile(r"^>>> .*(?:\n(?!\s*$).+)*", re.M)
"""A call in a docstring, with what it gives."""
TOGETHER = re.compile(r"^( +)(\w+(?:, \w+)+): ", re.M)
"""Arguments that a docstring explains together: `device, dtype: ...`."""


class Docstrings(griffe.Extension):
    """Docstrings as people write them -> as the reference takes them."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        if obj.docstring:
            text = EXAMPLE.sub(lambda call: f"```pycon\n{call[0]}\n```", obj.docstring.value)
            obj.docstring.value = TOGETHER.sub(one_by_one, text)


def one_by_one(found: re.Match[str]) -> str:
    """A line for each argument; all but the last point at the last, below which the explanation stands."""
    *others, last = found[2].split(", ")
    return "".join(f"{found[1]}{name}: See `{last}`.\n" for name in others) + f"{found[1]}{last}: "


def all_commands() -> dict[str, Any]:
    """Every command by the words that call it, such as `data check`, in the order of the help."""
    import typer

    import gapscope.cli

    found: dict[str, Any] = {}
    for name, command in typer.main.get_command(gapscope.cli.app).commands.items():  # type: ignore[attr-defined]
        inner = getattr(command, "commands", None)
        found |= {f"{name} {word}": one for word, one in inner.items()} if inner else {name: command}
    return found


def command_page(name: str, command: Any) -> str:
    """What a command does, and every argument and option of it."""
    context = command.make_context(f"gapscope {name}", [], resilient_parsing=True)
    text, *examples = re.split(r"^ *Example: ", command.help, flags=re.M)
    shown = [re.sub(r"\s*\n\s*", " ", example.strip()) for example in examples]
    lines = [f"# gapscope {name}", "", text.strip().replace("<", "&lt;"), ""]
    lines += ["```", *shown, "```", ""] if shown else []
    for kind in ("argument", "option"):
        some = [one for one in command.params if one.param_type_name == kind and one.name != "help"]
        rows = [[in_cell(cell) for cell in one.get_help_record(context)] for one in some]
        lines += [f"| {kind} | |", "|---|---|", *(f"| `{name}` | {does} |" for name, does in rows), ""] if rows else []
    return "\n".join(lines)


def in_cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def room_page(room: write_architecture.Folder) -> str:
    """A room's modules with all public names that have a docstring."""
    path = "gapscope/" + room.path
    lines = [f"# {path}" if room.path else f"# {BESIDE}", "", room.summary if room.path else "", "", room.notes, ""]
    lines += [f"Open first: `{room.first}`", ""] if room.first else []
    files = [path + child for child in room.children if child.endswith(".py")]
    return "\n".join(lines + [f"::: {file.removesuffix('.py').replace('/', '.')}\n" for file in files])


def python_page() -> str:
    """What `import gapscope` offers: every name with the first line of its docstring, and a link to the rest."""
    import gapscope

    lines = ["# In Python", "", "`import gapscope` is quick: a name is imported when it is first used.", ""]
    lines += ["| name | |", "|---|---|"]
    for module in (gapscope, gapscope.plot):
        for name in sorted(module.__all__, key=str.lower):
            offered = getattr(module, name)
            if callable(offered):
                place = f"[`{module.__name__}.{name}`][{offered.__module__}.{offered.__qualname__}]"
                lines.append(f"| {place} | {in_cell((offered.__doc__ or '').strip().partition(chr(10))[0])} |")
    return "\n".join(lines) + "\n"


def rooms() -> list[write_architecture.Folder]:
    """Folders of the package in the order of docs/architecture.md; the first holds what lies beside the rooms."""
    return write_architecture.folders((ROOT / "docs/architecture.md").read_text(encoding="utf-8"))


def command_place(name: str) -> str:
    return f"reference/commands/{name.replace(' ', '-')}.md"


def room_place(room: write_architecture.Folder) -> str:
    return f"reference/rooms/{room.path.rstrip('/').replace('/', '-') or 'beside'}.md"


def generated() -> dict[str, str]:
    """Path on the site -> text."""
    pages = {site: (ROOT / name).read_text(encoding="utf-8") for name, site in AT_ROOT.items()}
    pages |= {command_place(name): command_page(name, command) for name, command in all_commands().items()}
    return pages | {PYTHON: python_page()} | {room_place(room): room_page(room) for room in rooms()}


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Put the reference at the end of the navigation."""
    commands = [command_place(name) for name in all_commands()]
    code = [PYTHON, *(room_place(room) for room in rooms())]
    config.nav = [*(config.nav or []), {"Every command": commands}, {"Code": code}]
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    for path, text in generated().items():
        files.append(File.generated(config, path, content=text))
    for path in linked_files():
        files.append(File.generated(config, f"files/{path}", abs_src_path=str(ROOT / path)))
    return files


def linked_files() -> set[str]:
    """Files outside docs/ to which pages link: notebooks, examples, the licence. They are part of the site."""
    pages = [*(ROOT / name for name in AT_ROOT), *(ROOT / "docs").rglob("*.md")]
    links = {
        (page.parent / link).resolve() for page in pages for link in LINK.findall(page.read_text(encoding="utf-8"))
    }
    outside = {link.relative_to(ROOT).as_posix() for link in links if not link.is_relative_to(ROOT / "docs")}
    return outside - set(AT_ROOT)


def on_page_markdown(markdown: str, page: Page, **_: Any) -> str:
    """Links as they hold in the repository -> links as they hold on the site."""
    at_root = {site: name for name, site in AT_ROOT.items()}
    source = page.file.src_uri
    here = ROOT if source in at_root else (ROOT / "docs" / source).parent
    up = "../" * source.count("/")

    def on_site(link: re.Match[str]) -> str:
        target = (here / link[1]).resolve()
        if target.is_relative_to(ROOT / "docs"):
            return up + target.relative_to(ROOT / "docs").as_posix()
        name = target.relative_to(ROOT).as_posix()
        return up + AT_ROOT.get(name, f"files/{name}")

    return markdown if source.startswith("reference/") else LINK.sub(on_site, markdown)
