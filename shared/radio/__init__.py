"""Internet radio: streams that are passed on, and what they say is on the air."""
