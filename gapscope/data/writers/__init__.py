"""Formats that a table can be written in: each module writes one layout that its reader reads back.

Open first: coco.py
"""
