"""The road itself, and the only speaker of Redis: keys, signing, server-side functions, the embedded server."""
