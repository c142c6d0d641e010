"""One module a provider; each has an endpoint class that `endpoint_for` knows."""
