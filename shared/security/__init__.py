"""Who may come in: accounts, sessions, first set-up, and what a request may look like."""
