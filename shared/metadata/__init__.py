"""Who is this song, and what should it be called: MusicBrainz, the Cover Art Archive, LRCLIB, AcoustID."""
