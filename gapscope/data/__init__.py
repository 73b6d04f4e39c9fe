"""Images with boxes: read, mapped, filtered, split, checked for leaks, and served as batches.

Open first: table.py
"""
