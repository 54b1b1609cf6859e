"""What a command writes on a terminal."""
