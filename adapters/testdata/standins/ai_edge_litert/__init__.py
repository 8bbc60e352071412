"""A stand-in for LiteRT's Python package; see ../../README.md."""
__version__ = "stand-in"
