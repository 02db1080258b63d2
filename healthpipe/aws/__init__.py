"""AWS: sessions and clients, and the errors of its services translated into ours."""
