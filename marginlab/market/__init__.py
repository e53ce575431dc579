"""How prices and funding rates moved: episodes made from cited figures, and recorded history."""
