"""Run as `python -m pkg`."""
from pkg.sub import leaf

leaf.call()
