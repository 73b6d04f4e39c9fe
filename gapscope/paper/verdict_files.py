"""The answers as files: verdict.json with every number and its file, report.md to paste; and as lines of a terminal."""

import math
import textwrap
from pathlib import Path
from typing import Any

from gapscope.errors import InputError
from gapscope.files import OTHER_CONTENT, read_json, write_json, write_text
from gapscope.findings.answer import QUESTIONS, Answer, Number
from gapscope.findings.findings import Findings
from gapscope.findings.suggestion import sentence
from gapscope.paper.table_files import to_markdown
from gapscope.run_folder import RunFolder

WORDS = {"gap": "gap", "sure": "how sure", "where": "where", "next": "next", "trust": "made by"}
"""Answers' keys as a terminal has them."""
REMEDIES = ("What closes it?", "When do synthetic images stop helping?", "Is it looks, content, or any two sets?")
"""Questions of the verdict that are asked of runs with remedies or control arms."""


def write_verdict(findings: Findings) -> None:
    """Write verdict.json and report.md into the run folder."""
    folder = findings.results.page_folder
    write_json(folder.verdict, verdict_content(findings))
    write_text(folder.report_text, verdict_markdown(findings))


def verdict_content(findings: Findings) -> dict[str, Any]:
    """What verdict.json holds."""
    return {
        "title": findings.results.title,
        "generated": findings.generated_note,
        "answers": list(map(answer_content, findings.answers)),
        "gaps": [sentence for _, sentence in findings.gaps],
        "facts": [{"number": chip.number, "what": chip.what, "warns": chip.warns} for chip in findings.chips],
        "remedies": [sentence for question in REMEDIES for sentence in findings.verdict.get(question, ())],
        "weakened_by": [{"title": one.title, "found": list(one.texts), "do": one.advice} for one in findings.confounds],
        "suggestions": [
            {"do": one.do, "because": list(one.because), "tried": one.tried, "toml": one.snippet}
            for one in findings.advice
        ],
    }


def answer_content(one: Answer) -> dict[str, Any]:
    """An answer with every number in it and its file."""
    return {"key": one.key, "question": one.question, "text": one.text, "numbers": list(map(_number, one.numbers))}


def _number(one: Number) -> dict[str, Any]:
    values = {"value": one.of.value, "low": one.of.low, "high": one.of.high}
    known = {name: value if math.isfinite(value) else None for name, value in values.items()}
    return {"name": one.name, **known, "unit": one.unit, "seeds": dict(one.seeds), "files": list(one.files)}


def verdict_markdown(findings: Findings) -> str:
    """What report.md holds: the answers, the other gaps, what weakens them, suggestions, and Table 2."""
    lines = [f"# {plain(findings.results.title)}", ""]
    lines += [plain(findings.generated_note), ""] if findings.generated_note else []
    for one in findings.answers:
        lines += [f"**{one.question}** {plain(one.text)}", ""]
    if len(findings.gaps) > 1:
        lines += ["## Other gaps", "", *(f"- {plain(sentence)}" for _, sentence in findings.gaps[1:]), ""]
    for question in (question for question in REMEDIES if question in findings.verdict):
        lines += [f"## {question}", "", *(f"- {plain(sentence)}" for sentence in findings.verdict[question]), ""]
    if findings.confounds:
        weak = [f"- {one.title}: {plain(' '.join(one.texts))} {one.advice}" for one in findings.confounds]
        lines += ["## What weakens this", "", *weak, ""]
    if findings.advice:
        lines += ["## What next", ""]
        for item in findings.advice:
            lines.append(f"- {plain(f'{item.do} {item.because[0]} {sentence(item.tried)}')}")
            if item.snippet:
                lines += ["", *(f"  {line}" for line in ("```toml", *item.snippet.splitlines(), "```")), ""]
        lines += [""]
    table = next((table for table in findings.tables if table.number == 2), None)
    lines += [f"## Table {table.number}", "", to_markdown(table)] if table else []
    return "\n".join(lines).rstrip() + "\n"


def plain(text: str) -> str:
    """A text that Markdown shows as it is, on one line."""
    escaped = "".join(f"\\{letter}" if letter in "\\`*_[]<>|#" else letter for letter in text)
    return " ".join(escaped.split())


def verdict_lines(run: Path, width: int = 80) -> list[str]:
    """The answers of a run's last report for a terminal, each with its own first line; none before there is one.

    Raises:
        InputError: If the file is broken.
    """
    path = RunFolder(run).verdict
    if not path.is_file():
        return []
    try:
        found = {str(one["key"]): str(one["text"]) for one in read_json(path)["answers"]}
    except OTHER_CONTENT as error:
        raise InputError(f"{path} cannot be read as a verdict. Write it anew: gapscope report {run}") from error
    lines = []
    for key in (key for key in QUESTIONS if key in found):
        text = " ".join("".join(c if c.isprintable() else " " for c in found[key]).split())
        wrapped = textwrap.wrap(text, max(20, width - 10), break_on_hyphens=False)
        lines += [f"{WORDS[key] if not i else '':<10}{line}" for i, line in enumerate(wrapped)]
    return lines
