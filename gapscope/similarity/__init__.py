"""How alike two networks see the same images, layer by layer, and how sure we are.

A new measure is a function of two layers, in the file of its kin, and a row in measures.py.

Open first: compare.py
"""
