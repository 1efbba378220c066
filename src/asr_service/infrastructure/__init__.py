"""Adapters: what the ports are made of. Each knows the domain; none knows another, nor the application."""
