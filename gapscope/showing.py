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


def text_table(caption: str, rows: Iterable[Sequence[str]]) -> str:
    """Rows of a few cells below a caption, each column as wide as its longest cell.

    >>> print(text_table("Two", [("first", "1"), ("second", "22")]))
    Two
      first   1
      second  22
    """
    cells = [list(row) for row in rows]
    wide = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, wide, strict=True)).rstrip() for row in cells]
    return "\n".join([caption, *(f"  {line}" for line in lines)])


def first_few(names: Sequence[str], most: int = 8) -> str:
    """A list that does not grow: `a, b, c and 77 more`.

    >>> first_few(["a", "b", "c"], most=2)
    'a, b and 1 more'
    """
    shown = ", ".join(names[:most]) or "none"
    return shown if len(names) <= most else f"{shown} and {len(names) - most} more"


def first_and_last(names: Sequence[object]) -> str:
    """The ends of a long list: `a ... z`."""
    return str(names[0]) if len(names) == 1 else f"{names[0]} ... {names[-1]}" if names else "none"
