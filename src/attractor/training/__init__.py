"""One loop over an :class:`~attractor.training.objective.Objective`: schedules, checkpoints, resume."""
