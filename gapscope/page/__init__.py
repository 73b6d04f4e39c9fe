"""A run on one page, report.html: its sections, tables, charts and pictures.

templates/ holds what the browser gets: sections, styles, and the scripts that draw charts and maps.

Open first: page.py
"""

from typing import TYPE_CHECKING

from gapscope.rooms import open_room

if TYPE_CHECKING:
    from gapscope.page.embedding import Embedded as Embedded, embed as embed
    from gapscope.page.page import (
        page_environment as page_environment,
        render_page as render_page,
        write_pages as write_pages,
    )
    from gapscope.page.page_context import (
        material as material,
        performance_section as performance_section,
        where_section as where_section,
    )
    from gapscope.page.page_data import page_data as page_data

__all__ = open_room(
    __name__,
    {
        "page": "write_pages, render_page, page_environment",
        "page_context": "performance_section, where_section, material",
        "page_data": "page_data",
        "embedding": "embed, Embedded",
    },
)
