"""The commands of `homeport`: a module a noun, which registers what it adds (see `cli.registry`)."""
