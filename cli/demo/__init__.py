"""micromart demo: a customer is played through the gateway, and everything that is claimed is looked up."""
