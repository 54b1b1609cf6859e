"""The checks of `homeport doctor`."""
