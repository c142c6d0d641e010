"""The systems that are measured: each is a program of its own that takes orders on stdin and answers on stdout.

A program runs in the environment of its system, where this package is not installed, so that it and what it imports
from here (`program`) need nothing but the standard library and the system itself.
"""
