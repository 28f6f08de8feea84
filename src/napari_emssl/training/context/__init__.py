"""What a network remembers of painted pixels, and the model that it is with them.

Training/finetuning, training/in_context and training/live_preview may import it.
"""
