"""The boards, one file each; ``build(city)`` of each gives the JSON."""
