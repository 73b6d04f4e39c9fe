"""A strict reader of the LaTeX that gapscope writes: what pdflatex would stumble over is an error."""

import re

COMMANDS = {
    *("begin end centering caption label toprule midrule bottomrule cmidrule multicolumn includegraphics").split(),
    *("columnwidth textwidth textbackslash textasciitilde textasciicircum textless textgreater textbar").split(),
}
TABULAR = re.compile(r"\\begin\{tabular\}\{([lr]+)\}\n(.*?)\\end\{tabular\}", re.S)


def check_latex(text: str) -> None:
    """Commands are known, braces and environments closed in order, rows as long as the table is wide."""
    text = re.sub(r"(?<!\\)%.*", "", text)
    plain = re.sub(r"\\[&%$#_{} ]|\\\\", " ", text)  # escaped letters, and ends of rows
    assert set(re.findall(r"\\([A-Za-z]+)", plain)) <= COMMANDS
    _check_braces(plain)
    _check_environments(plain)
    outside = re.sub(r"\\(label|includegraphics)(\[[^\]]*\])?\{[^}]*\}", "", plain)
    in_formulas = re.sub(r"\$-[0-9.e+-]+\$", "", outside)
    without_tables = TABULAR.sub("", re.sub(r"\$-[0-9.e+-]+\$", "", text))
    assert not re.search(r"[$#_^~]", in_formulas), "a letter with a meaning of its own is not escaped"
    assert not re.search(r"(?<!\\)&", without_tables), "a column ends outside of a table"
    for columns, body in TABULAR.findall(text):
        _check_rows(body, len(columns))


def _check_braces(text: str) -> None:
    depth = 0
    for letter in text:
        depth += (letter == "{") - (letter == "}")
        assert depth >= 0, "a brace is closed that was not opened"
    assert depth == 0, "a brace is not closed"


def _check_environments(text: str) -> None:
    waiting: list[str] = []
    for kind, name in re.findall(r"\\(begin|end)\{([a-z*]+)\}", text):
        if kind == "begin":
            waiting.append(name)
        else:
            assert waiting and waiting.pop() == name, f"{name} is closed out of order"
    assert waiting == []


def _check_rows(body: str, columns: int) -> None:
    parts = re.split(r"\\\\(?!\\)", re.sub(r"\\(top|mid|bottom)rule", "", body))
    for number, row in enumerate(parts):
        row = re.sub(r"\\cmidrule\(lr\)\{(\d+)-(\d+)\}", "", row).strip()
        assert number == 0 or not row.startswith(("[", "*")), "which would be an option of the row above"
        if row:
            spans = [int(width) for width in re.findall(r"\\multicolumn\{(\d+)\}", row)]
            assert len(re.findall(r"(?<!\\)&", row)) + 1 + sum(spans) - len(spans) == columns, row
    for first, last in re.findall(r"\\cmidrule\(lr\)\{(\d+)-(\d+)\}", body):
        assert 1 <= int(first) <= int(last) <= columns
