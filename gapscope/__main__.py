"""`python -m gapscope` is the command gapscope."""

from gapscope.cli import main

main()
