"""How devices find the station: interfaces, addresses, names."""
