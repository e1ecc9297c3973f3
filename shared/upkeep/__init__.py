"""Looking after a library: what is left over, covers, tags, backups, checks. Each deed can be cut off at any moment."""
