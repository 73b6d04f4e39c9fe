"""What may be said of a run: gaps, curves, differences, tables, a verdict. It knows nothing of how it is shown.

Open first: results.py
"""
