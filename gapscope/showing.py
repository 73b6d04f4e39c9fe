"""How an object shows itself in a notebook: a small table of what one wants to know first."""

from collections.abc import Iterable, Sequence
from html import escape


def html_table(caption: str, rows: Iterable[Sequence[str]], heading: Sequence[str] = ()) -> str:
    """Rows as an HTML table with a caption; the first cell of a row is its heading. All texts are escaped."""
    left = ' style="text-align: left"'
    head = "".join(f'<th scope="col"{left}>{escape(name)}</th>' for name in heading)
    lines = [f"<caption{left}>{escape(caption)}</caption>", f"<thead><tr>{head}</tr></thead>" if heading else ""]
    for first, *cells in rows:
        others = "".join(f"<td{left}>{escape(cell)}</td>" for cell in cells)
        lines.append(f'<tr><th scope="row"{left}>{escape(first)}</th>{others}</tr>')
    return f"<table>{''.join(lines)}</table>"


def first_and_last(names: Sequence[object]) -> str:
    """The ends of a long list: `a ... z`."""
    return str(names[0]) if len(names) == 1 else f"{names[0]} ... {names[-1]}" if names else "none"
