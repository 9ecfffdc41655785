"""CAM++ trained on several corpora at once, fold by fold; ``training.train_fold`` does one."""
