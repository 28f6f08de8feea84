"""What is painted: labels and what they stand for, planes with paint on them, and how paintings are kept."""
