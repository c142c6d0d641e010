"""The embedded server's parts: program, directories, recorded state, and the keeper that owns it."""
