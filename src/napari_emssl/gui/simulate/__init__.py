"""The dock "EM SSL Simulate"; nothing imports it."""
