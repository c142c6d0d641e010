"""A running deployment is upgraded and downgraded under load, from and to wheels in environments of their own."""
