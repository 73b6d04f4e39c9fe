"""A run on one page, report.html: its sections, tables, charts and pictures.

templates/ holds what the browser gets: sections, styles, and the scripts that draw charts and maps.

Open first: page.py
"""
