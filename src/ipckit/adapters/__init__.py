"""One module a mechanism; the registry imports them when an address asks for one."""
