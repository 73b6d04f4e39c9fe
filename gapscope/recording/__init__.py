"""What every layer of a network makes of the probe images, kept as one Gram matrix per layer.

Open first: record.py
"""
