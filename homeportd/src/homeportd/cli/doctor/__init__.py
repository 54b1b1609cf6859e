"""The checks of `homeport doctor`: a module a subject, which lists its steps in STEPS (see `check.Step`)."""
