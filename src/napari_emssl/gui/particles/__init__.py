"""The dock "EM SSL Particles"; nothing imports it."""
