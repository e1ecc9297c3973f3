"""Soundsible: a self-hosted music station. See docs/architecture.md for the plan of the house."""

__version__ = "0.5.0"
