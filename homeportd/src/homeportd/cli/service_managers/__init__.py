"""Service managers that start the tunnel daemon at each login of its user."""
