"""The dock "EM SSL Fine-tune"; nothing imports it."""
