"""The pages, a module each: what is read for it, and what may be done there."""
