"""YOLOv3 with its 107 layers (backbone 0-74, head 75-106): the network, its files, its loss, its detections.

Open first: layers.py
"""
