"""Several runs on one page: what differs between them, and what holds in all of them.

Open first: page.py
"""
