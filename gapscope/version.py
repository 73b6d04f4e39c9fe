"""Which version of gapscope is this? pyproject.toml says it; what is installed knows."""

from importlib.metadata import version

__version__ = version("gapscope")
