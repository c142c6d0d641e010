"""What a server and its surroundings promise: facts that were read, findings that follow from them, and their fixes."""
