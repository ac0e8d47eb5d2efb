"""What leaves this machine, and by which way: hosts that may be reached although private, proxies, certificates."""
