"""Thresholds of detections, the defaults of confidence and NMS: one pair for scores, another for people who look.

From which confidence on does a box count, and by how much may two of one class overlap? The answer is another where a
network is scored than where people look at its boxes.
"""

SCORED_CONFIDENCE, SCORED_OVERLAP = 0.001, 0.6
"""For AP, which ranks by confidence: an unsure box behind all others costs next to nothing, so nearly all stay, and two
neighbours of one class are better kept than one of them lost."""

SHOWN_CONFIDENCE, SHOWN_OVERLAP = 0.25, 0.45
"""For people, who take every box for an object and a second one on it for a mistake."""
