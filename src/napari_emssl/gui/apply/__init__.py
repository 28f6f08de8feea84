"""The dock "EM SSL Apply model" and how it starts a run; finetune may import it."""
