"""How is a table written? As CSV for programs, Markdown for pages, LaTeX (booktabs) for papers."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import pandas as pd

from gapscope.files import write_text
from gapscope.findings.result_tables import UNDEFINED, ResultTable
from gapscope.words import csv_cell

WIDE = 6
"""Columns beyond which a table needs the whole width of a page."""


def to_csv(table: ResultTable) -> str:
    """The unrounded numbers in long form."""
    return frame_csv(table.numbers)


def frame_csv(frame: pd.DataFrame) -> str:
    """A table of numbers as CSV in which no name is a formula, see `csv_cell`."""
    texts = {
        name: [csv_cell(value) if isinstance(value, str) else value for value in frame[name]]
        for name in frame.columns
        if not pd.api.types.is_numeric_dtype(frame[name])
    }
    safe = frame.assign(**texts) if texts else frame
    return safe.rename(columns=lambda name: csv_cell(str(name))).to_csv(index=False, lineterminator="\n")


def to_markdown(table: ResultTable) -> str:
    """GitHub's pipe table; a column's group is written before its name."""
    names = [f"{group}, {name}" if group else name for group, name in table.columns]
    rules = ["---" if i < table.num_labels else "---:" for i in range(len(names))]
    lines = [_pipes(names), _pipes(rules), *(_pipes(row) for row in table.rows)]
    return "\n".join([f"**Table {table.number}.** {_escape_markdown(table.caption)}", "", *lines, ""])


def _pipes(cells: list[str] | tuple[str, ...]) -> str:
    return "| " + " | ".join(_escape_markdown(cell) for cell in cells) + " |"


def _escape_markdown(text: str) -> str:
    return text.replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;").replace("\n", " ").replace("](", "]\\(")


def to_latex(table: ResultTable) -> str:
    """A LaTeX table in booktabs style, over both columns of a page if it is wide; needs \\usepackage{booktabs}."""
    align = "l" * table.num_labels + "r" * (len(table.columns) - table.num_labels)
    place = "table*" if len(table.columns) > WIDE else "table"
    lines = [rf"\begin{{{place}}}", r"\centering", rf"\caption{{{escape_latex(table.caption)}}}"]
    lines += [rf"\label{{tab:gapscope-{table.number}{table.suffix}}}", rf"\begin{{tabular}}{{{align}}}", r"\toprule"]
    lines += _latex_heading(table)
    lines += [r"\midrule", *_latex_rows(table), r"\bottomrule", r"\end{tabular}", rf"\end{{{place}}}", ""]
    return "\n".join(lines)


def _latex_heading(table: ResultTable) -> list[str]:
    names = _ampersands([name for _, name in table.columns])
    if not any(group for group, _ in table.groups):
        return [names]
    heads, lines, start = [], [], 1
    for group, width in table.groups:
        heads.append(rf"\multicolumn{{{width}}}{{c}}{{{escape_latex(group)}}}" if group else " & " * (width - 1))
        lines += [rf"\cmidrule(lr){{{start}-{start + width - 1}}}"] if group else []
        start += width
    return [" & ".join(heads) + r" \\", " ".join(lines), names]


def _latex_rows(table: ResultTable) -> Iterator[str]:
    """Rows, with a rule where the first of several row labels changes: the estimators of Table 5, models elsewhere."""
    before = table.rows[0][0]
    for row in table.rows:
        if (table.number == 5 or table.suffix) and row[0] != before:
            yield r"\midrule"
        before = row[0]
        yield _ampersands(row)


def _ampersands(cells: list[str] | tuple[str, ...]) -> str:
    row = " & ".join(escape_latex(cell) for cell in cells) + r" \\"
    return "{}" + row if row[0] in "[*" else row  # which would be an option of the row above


LATEX = {
    **{letter: "\\" + letter for letter in "&%$#_{}"},
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    "\n": " ",
    UNDEFINED: "--",
}


def escape_latex(text: str) -> str:
    """Text as LaTeX prints it, whatever it holds."""
    escaped = "".join(LATEX.get(letter, letter) for letter in text)
    return f"${escaped}$" if _is_negative_number(text) else escaped  # a minus sign, not a hyphen


def _is_negative_number(text: str) -> bool:
    return text.startswith("-") and text[1:].replace(".", "", 1).replace("e-", "", 1).replace("e+", "", 1).isdigit()


def write_tables(tables: Sequence[ResultTable], folder: Path) -> list[Path]:
    """Write every table as `<name>.csv`, `.md` and `.tex`."""
    written = []
    for table in tables:
        for suffix, convert in (("csv", to_csv), ("md", to_markdown), ("tex", to_latex)):
            path = folder / f"{table.name}.{suffix}"
            write_text(path, convert(table))
            written.append(path)
    return written
