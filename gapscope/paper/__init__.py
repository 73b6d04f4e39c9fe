"""Figures 1-7, further ones and Tables 1-5 as they go into a paper.

Open first: paper_output.py
"""
