"""One arm, one seed -> weights: the loop, its optimizer, checkpoints, devices.

Open first: train.py
"""
