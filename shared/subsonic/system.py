"""What concerns the station as such: is it there, what can it do; and what it does not do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from shared.subsonic.asking import Asked, Refused
from shared.subsonic.calls import Calls

# The extensions of OpenSubsonic that work here, and their versions.
EXTENSIONS: dict[str, list[int]] = {
    "apiKeyAuthentication": [1],
    "formPost": [1],
    "getPodcastEpisode": [1],
    "indexBasedQueue": [1],
    "playbackReport": [1],
    "songLyrics": [1, 2],
    "sonicSimilarity": [1],
    "topSongsByArtistId": [1],
    "transcodeOffset": [1],
    "transcoding": [1],
}


def calls(*, sounds_known: Callable[[], bool] = lambda: False) -> Calls:
    """sounds_known: whether tracks can be compared by their sound by now."""
    calls = Calls("system")

    @calls.answers("ping")
    def ping(asked: Asked) -> None:
        """Whether the station answers and the login is right."""

    @calls.answers("getLicense")
    def get_license(asked: Asked) -> dict[str, Any]:
        """Nobody pays here: always valid."""
        return {"license": {"valid": True, "email": "", "licenseExpires": "2099-12-31T00:00:00Z"}}

    @calls.answers("getOpenSubsonicExtensions", allows="open")
    def get_extensions(asked: Asked) -> dict[str, Any]:
        """The extensions that work here, and no others."""
        return {"openSubsonicExtensions": [
            {"name": name, "versions": versions} for name, versions in EXTENSIONS.items()
            if name != "sonicSimilarity" or sounds_known()
        ]}

    @calls.answers("getVideos", "getVideoInfo", "getCaptions", "hls.m3u8", "hls", declined=True)
    def video(asked: Asked) -> dict[str, Any]:
        """There are no films here."""
        raise Refused(Refused.GENERIC, "This station plays music; it has no videos.")

    @calls.answers("getChatMessages", "addChatMessage", declined=True)
    def chat(asked: Asked) -> dict[str, Any]:
        """There is no chat here."""
        raise Refused(Refused.GENERIC, "This station has no chat.")

    return calls
