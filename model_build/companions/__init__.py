"""companions: models of the companion papers that are trained and compared, never served."""
