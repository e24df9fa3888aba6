"""Wire protocols without input or output: bytes in, messages out, no socket, thread or clock."""
