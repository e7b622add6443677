"""The version, here and nowhere else: the wheel takes it from this file."""

__all__ = ["__version__"]

__version__ = "0.1.0"
