"""The messages of the gRPC door: their definitions, the code made of them (`make protos`), and their translations."""
