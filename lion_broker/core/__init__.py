"""Values: ids, elements, their order and collections, events, logs, graphs and tables."""
