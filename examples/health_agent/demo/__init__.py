"""A minute of real traffic through the health agent, and an account of what arrived in each backend."""

from .main import run

__all__ = ["run"]
