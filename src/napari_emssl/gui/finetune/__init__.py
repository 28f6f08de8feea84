"""The dock "EM SSL Fine-tune"; only the manifest and other docks' buttons lead to it."""
