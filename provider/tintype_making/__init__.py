"""How tintype, the model in the box, is made: data, training, measuring. Never in the wheel."""
