"""Annotation formats: each module reads one layout into an AnnotationTable and states its pixel convention."""
