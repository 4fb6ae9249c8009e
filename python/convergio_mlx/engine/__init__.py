"""A loaded model, and how a request becomes a native one."""
