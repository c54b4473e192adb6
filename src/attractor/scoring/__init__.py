"""From features and reconstructions to scores, decisions and what they are worth."""
