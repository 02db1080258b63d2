"""What tests share: oracles, generators of dirty files, rigs, servers on loopback."""
