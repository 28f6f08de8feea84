"""The dock "EM SSL Apply model"; the fine-tuning dock may import how it starts."""
