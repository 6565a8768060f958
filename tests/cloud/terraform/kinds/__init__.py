"""How each type of resource is made, changed and removed on the emulator, by module as deployed."""
