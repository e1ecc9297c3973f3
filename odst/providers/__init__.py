"""Those who fetch: YouTube and its like, Soulseek, and plain links."""
