"""What a person wants to see of a deployment, worked out from what the exchange keeps; nothing here writes."""
