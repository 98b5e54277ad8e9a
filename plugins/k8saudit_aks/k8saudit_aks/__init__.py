"""Falco plugin: Kubernetes audit events of AKS clusters, streamed from Azure Event Hubs."""
