"""What it costs: each benchmark with its opponent in the same run, on the same server. Nothing here passes or fails."""
