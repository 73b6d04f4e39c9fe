"""YAML as data sets have it: texts, lists and mappings of a few levels, every scalar as the text that stands there."""

import yaml

LARGEST = 2 * 2**20
"""Letters, at most."""
DEEPEST = 32
"""Lists in lists, at most: the parser's time grows with their square."""


class _Shallow(yaml.BaseLoader):
    """Reads every scalar as the text that stands there, and refuses what is nested deeply."""

    depth = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        self.depth += 1
        if self.depth > DEEPEST:
            raise yaml.YAMLError(f"it is nested more than {DEEPEST} deep")
        node: yaml.Node | None = super().compose_node(parent, index)
        self.depth -= 1
        return node


def compose_yaml(text: str) -> yaml.Node | None:
    """What a YAML text holds, as nodes; None of an empty one.

    Raises:
        ValueError: It is no YAML, too long, or nested too deeply.
    """
    if len(text) > LARGEST:
        raise ValueError(f"it has {len(text):,} letters, and names of classes are a short text")
    try:
        node: yaml.Node | None = yaml.compose(text, Loader=_Shallow)
    except (yaml.YAMLError, RecursionError) as error:
        raise ValueError(str(error)) from error
    return node
