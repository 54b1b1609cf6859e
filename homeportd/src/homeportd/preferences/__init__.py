"""The settings that the owner changes at run time, as opposed to those of the inventory."""
