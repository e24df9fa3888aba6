"""The port mapper of Sun RPC: asked, listed with, and shown, by what an adapter connects with."""
