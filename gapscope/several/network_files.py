"""The sentences and numbers of a study of several networks as files, beside its page."""

from collections.abc import Sequence

from gapscope.files import write_json, write_text
from gapscope.findings.answer import Answer
from gapscope.findings.results import Results
from gapscope.paper.verdict_files import answer_content, plain
from gapscope.several.cross_grids import cross_grids
from gapscope.several.line_up import SideBySide
from gapscope.several.network_csv import network_csv
from gapscope.several.network_gaps import network_differences
from gapscope.several.network_page import network_pages
from gapscope.several.network_sentences import network_answers


def write_network_files(results: Results, side: SideBySide) -> None:
    """Write verdict.json and report.md of the whole study, and its tables as CSV."""
    folder, differences = results.run_folder, network_differences(side)
    answers = network_answers(side, differences)
    write_json(folder.verdict, _content(results, side, answers))
    write_text(folder.report_text, _markdown(results, side, answers))
    for name, text in network_csv(side, differences, cross_grids(results, side.runs)).items():
        write_text(folder.tables / name, text)


def _content(results: Results, side: SideBySide, answers: Sequence[Answer]) -> dict[str, object]:
    """What verdict.json holds; each network has a whole one of its own."""
    networks = {
        run.results.network: {
            "letter": run.letter,
            "title": run.title,
            "verdict": run.results.page_folder.verdict.relative_to(results.folder).as_posix(),
        }
        for run in side.runs
    }
    return {"title": results.title, "answers": list(map(answer_content, answers)), "networks": networks}


def _markdown(results: Results, side: SideBySide, answers: Sequence[Answer]) -> str:
    lines = [f"# {plain(results.title)}", ""]
    for one in answers:
        lines += [f"**{one.question}** {plain(one.text)}", ""]
    for run, path, own in network_pages(side):
        lines += [f"## {run.letter}: {plain(run.title)}", "", *(f"- {plain(one.text)}" for one in own)]
        lines += [f"- Its page: {path}", ""]
    return "\n".join(lines).rstrip() + "\n"
