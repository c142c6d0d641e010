"""Runnable entry points, one a process of the design; each only calls the command line and holds no logic."""
