"""Network + images with boxes -> detections -> average precision, intervals and kinds of mistakes.

Open first: evaluate.py
"""
