"""Who hosts: takes ready branches through turns, keeps their leases, and hands them back."""
