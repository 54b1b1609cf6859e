"""What an edge writes for Traefik and reads from it."""
