"""Figures 1-7, further ones and Tables 1-5 as they go into a paper.

Open first: paper_output.py
"""

from typing import TYPE_CHECKING

from gapscope.rooms import open_room

if TYPE_CHECKING:
    from gapscope.paper.domain_figures import (
        domain_figures as domain_figures,
        places_figure as places_figure,
        spread_figure as spread_figure,
    )
    from gapscope.paper.paper_figures import all_figures as all_figures
    from gapscope.paper.paper_output import planned_figures as planned_figures, write_paper_output as write_paper_output
    from gapscope.paper.planned import Planned as Planned
    from gapscope.paper.table_files import (
        to_csv as to_csv,
        to_latex as to_latex,
        to_markdown as to_markdown,
        write_tables as write_tables,
    )

__all__ = open_room(
    __name__,
    {
        "paper_output": "write_paper_output, planned_figures",
        "planned": "Planned",
        "paper_figures": "all_figures",
        "domain_figures": "domain_figures, spread_figure, places_figure",
        "table_files": "to_csv, to_markdown, to_latex, write_tables",
    },
)
