"""Who thinks: a conversation with tools and models, its journal, and the host that commits what it does."""
