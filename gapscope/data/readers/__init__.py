"""Formats of labels: each module reads one layout into an AnnotationTable and states its pixel convention.

A new format is a module beside these that makes a `Format`, an entry in detect.py and a row in docs/formats.md.

Open first: format.py
"""
