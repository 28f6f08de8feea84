"""The dock "EM SSL Models" and the pickers that follow the zoo; apply, finetune and pretrain may import it."""
