"""Network + images with boxes -> detections -> average precision."""
