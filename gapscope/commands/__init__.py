"""What a terminal offers: each command reads its arguments, calls one function, says where the result went.

Open first: study.py
"""
