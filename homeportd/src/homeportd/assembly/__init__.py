"""The assemblies of the agent: here alone rooms are made and introduced to one another, a module a system."""
