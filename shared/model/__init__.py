"""Words: the frozen things every room talks about. Imports the standard library only."""
