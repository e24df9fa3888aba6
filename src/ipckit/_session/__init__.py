"""Sessions: what drives a protocol over a transport; ids, deadlines, who reads, subscriptions."""
