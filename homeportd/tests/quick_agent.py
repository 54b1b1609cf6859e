"""The agent's own command, with the lowest cost that bcrypt has: a quarter of a second a password is no test."""

from homeportd.__main__ import main
from homeportd.auth import passwords

passwords.ROUNDS = 4
main()
