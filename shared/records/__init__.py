"""Memory: all SQL of the station, one file a subject."""
