"""Running git: its rules, its progress, its errors."""
