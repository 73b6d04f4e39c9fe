"""A miniature study: rendered streets of 96 pixels, a network of a sixteenth of YOLOv3's width, one epoch.

Its numbers mean nothing; it runs every stage for real.
"""

MINIATURE = """
name = "miniature"
title = "Miniature <b>study</b>"
seeds = [0, 1]

[data]
classes = ["person", "cycle", "car", "bus", "truck"]
image_size = 64

[model]
width = 0.0625
anchor_scale = 0.2

[domains.camera]
role = "real"
generate = { style = "camera", images = 32, size = 96, seed = 1 }
min_area = 30.0

[domains.engine]
role = "synthetic"
generate = { style = "engine", images = 32, size = 96, seed = 2 }
min_area = 30.0
remove_hood = true

[arms.base]
domains = ["camera", "engine"]
report = false

[arms.u-real]
title = "U-Real"
domains = ["camera"]
start = "base"

[arms.u-synthetic]
title = "U-Synthetic"
domains = ["engine"]
start = "base"

[arms.f-synthetic]
title = "F-Synthetic"
domains = ["engine"]
start = "base"
freeze = "0-74"

[train]
epochs = 2
batch_size = 8
learning_rate = 1e-3
ema = 0.9
device = "cpu"

[probe]
domain = "camera"
images = 6

[record]
sizes = [64, 32]

[similarity]
permutations = 20
bootstraps = 20
"""

SMALLER = """
name = "smaller"
seeds = [0]

[data]
classes = ["person", "cycle", "car", "bus", "truck"]
image_size = 32

[model]
width = 0.0625
anchor_scale = 0.1

[domains.camera]
role = "real"
generate = { style = "camera", images = 32, size = 64, seed = 1 }

[domains.engine]
role = "synthetic"
generate = { style = "engine", images = 32, size = 64, seed = 2 }
remove_hood = true

[arms.u-real]
domains = ["camera"]

[arms.f-synthetic]
domains = ["engine"]
freeze = "0-74"

[train]
epochs = 6
batch_size = 4
learning_rate = 1e-3
ema = 0.9
device = "cpu"

[probe]
domain = "camera"
images = 5

[record]
sizes = [32, 64]

[similarity]
permutations = 20
bootstraps = 20
"""
"""For runs that are killed and run again: two arms, one seed."""
