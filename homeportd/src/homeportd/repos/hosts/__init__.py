"""The repositories that the owner has at GitHub or GitLab, for the list to choose one to clone from."""
