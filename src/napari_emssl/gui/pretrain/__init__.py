"""The dock "EM SSL Pretrain"; nothing imports it."""
