"""YOLOv3 with its 107 layers: the network, its files, its loss and its detections."""
