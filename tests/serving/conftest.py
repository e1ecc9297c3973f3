"""A small station in a process of its own, for the tests of how it is served."""

from tests.serving.certified import certified  # noqa: F401 - fixtures
from tests.serving.small import music_bytes, small_station  # noqa: F401 - fixtures
