"""Any `torch.nn.Module` as a net."""
