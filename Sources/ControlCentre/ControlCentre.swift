// ControlCentre
