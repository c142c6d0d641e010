"""The exchange on a server, the only speaker of Redis: keys, signing, server-side functions, the embedded server."""
