"""Figures and tables as they go into a paper."""
