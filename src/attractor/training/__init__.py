"""One loop over an :class:`~attractor.training.loop.Objective`: schedules, checkpoints, resume."""
