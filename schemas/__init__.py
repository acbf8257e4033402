"""What travels between the parts, and the city model. Imports nothing of ours."""
