"""The OpenSubsonic API at /rest: a door beside `routes`, on the same records and the same streaming."""
