"""What a branch can be asked to do, each operation in a file of its own."""
