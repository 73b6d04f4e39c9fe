"""The embedded data: made-up streets, ray traced in three styles, with exact boxes.

Open first: render.py
"""
