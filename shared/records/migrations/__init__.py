"""The schema's steps. A new one: a file in versions/ that says both ways, and database.HEAD named after it."""
