"""What links attach to: ``$cbs``, ``$management``, and the hubs for producers and consumers."""
