"""Other libraries that do the same work, one module each, imported only to be measured."""
