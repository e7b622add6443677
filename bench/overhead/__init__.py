"""What observability costs an application: the same work without any, with ours, and with each alternative."""
