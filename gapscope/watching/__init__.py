"""A run in the browser while it goes on.

Open first: watch.py
"""
