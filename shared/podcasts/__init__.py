"""Podcasts: feeds that the station follows, their episodes, and how far each person has heard them."""
