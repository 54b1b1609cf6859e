"""The commands of `homeport`, a module a noun."""
