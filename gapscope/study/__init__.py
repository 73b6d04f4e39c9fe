"""The whole study: what it consists of, where it lives, what is done.

Open first: stages.py
"""
