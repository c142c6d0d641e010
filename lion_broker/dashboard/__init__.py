"""The dashboard: a deployment in a browser, as an ASGI application."""
